"""`scrub.to_model`: the model sees `[REDACTED:n]`, tools get the values, nothing else gets either."""

import json
import signal

import pytest

from agentctl.core.events import ApprovalRequested, SecretsNumbered, StepsPlanned, ToolStarted
from agentctl.errors import Forbidden
from agentctl.runner import warming
from agentctl.runner.order import Order
from agentctl.runner.warmth import How
from tests.runner.stage import APIS, KEY, Answer, Person, Reply, Watcher, calls, driver, sent
from tests.runner.test_secrets import leaks

VARIABLE = "Vz8-variable-9f27ac"
RESULT = "Rs5-result-c0ffee42"
MADE_UP = "Ar4-argument-77d01b"
AMBIENT = "Am6-ambient-1b2c3d4e"
PIN = "4711"
SECRETS = (VARIABLE, RESULT, AMBIENT)


def heard(stage) -> str:
    return "\n".join(json.dumps([seen.body, dict(seen.headers)], ensure_ascii=False) for seen in stage.asked())


def got(stage, name):
    return json.loads((stage.folder / name).read_text())


@pytest.fixture
def masked(stages, monkeypatch):
    """A run that meets secrets everywhere, whose model uses what it was shown for them."""
    monkeypatch.setenv("SHOP_PASSWORD", AMBIENT)

    def make(api_name="messages", **task):
        stage = stages(api_name)
        stage.policy(scrub={"to_model": True})
        stage.task |= {
            "system": "Sign in with {{pass}}.",
            "goal": "Use {{pass}}, the PIN {{pin}} and the rest.",
            "vars": {
                "pass": {"type": "string", "secret": True, "default": VARIABLE},
                "pin": {"type": "string", "secret": True, "default": PIN},
            },
        } | task
        shown = json.dumps({"password": RESULT, "note": f"it is {AMBIENT}", "page": "[REDACTED:1]", "big": "x" * 300})
        stage.tool("fetch", f"cat > got.json; printf '%s' '{shown}'", parameters={"type": "object"})
        stage.effect("refund", "cat > sent.json; echo '{}'", side_effects="irreversible", parameters={"type": "object"})
        stage.replies = [
            calls(("fetch", {"id": "[REDACTED:1]", "pin": "[REDACTED:2]"}), thinking="I sign in with [REDACTED:1]."),
            calls(("refund", {"password": "[REDACTED:3]", "why": [{"deep": "by [REDACTED:4] and [REDACTED:1]!"}]})),
            Reply(text="Done with [REDACTED:1], password: [REDACTED:3]"),
        ]
        return stage

    return make


@pytest.mark.parametrize("api_name", APIS)
async def test_the_model_sees_numbers_and_the_tool_gets_the_values(isolated, masked, api_name):
    """A45 A86: over a park and a resume; every request, every file of the home and all that is shown are searched."""
    stage = masked(api_name)

    parked = await stage.run()

    assert (12, []) == (parked.exit_code, leaks(isolated))
    assert {"id": VARIABLE, "pin": PIN} == got(stage, "got.json")
    first, second = (sent(seen) for seen in stage.asked())
    assert "Sign in with [REDACTED:1]." in first
    assert "Use [REDACTED:1], the PIN [REDACTED:2] and the rest." in first
    assert all(said in second for said in ("[REDACTED:3]", "it is [REDACTED:4]", "(REDACTED:1)"))
    (asked,) = stage.events(ApprovalRequested)
    assert {"password": "[REDACTED:3]", "why": [{"deep": "by [REDACTED:4] and [REDACTED:1]!"}]} == asked.args

    person = Person([Answer("approve", "ada", "fine")])
    done = await stage.resume(person)

    assert (0, []) == (done.exit_code, leaks(isolated))
    assert {"password": RESULT, "why": [{"deep": f"by {AMBIENT} and {VARIABLE}!"}]} == got(stage, "sent.json")
    assert "Done with [REDACTED:1], password: [REDACTED:3]" == done.answer
    shown = json.dumps([done.body, [repr(one) for one in stage.stamped], [repr(q) for q in person.asked], stage.notes])
    assert [] == [secret for secret in (*SECRETS, KEY) if secret in shown or secret in heard(stage).replace(KEY, "")]


async def test_what_is_approved_is_the_values_and_not_their_numbers(masked):
    """The same words that stand for something else by now are another action."""
    stage, digests = masked(), []
    stage.replies = stage.replies[:2] * 2
    for value in (VARIABLE, f"{VARIABLE}-new"):
        await stage.run(variables={"pass": value})
        (asked,) = stage.events(ApprovalRequested)
        digests.append((asked.digest, json.dumps(asked.args)))

    assert digests[0][0] != digests[1][0]
    assert digests[0][1] == digests[1][1]


@pytest.mark.parametrize("api_name", APIS)
async def test_a_killed_run_sends_on_what_it_would_have_sent(isolated, masked, api_name):
    """The numbers and what they stand for are sealed with the words that name them."""
    straight, killed = masked(api_name), masked(api_name)
    for stage in (straight, killed):
        stage.policy(risk={"auto_approve": "high"})
    await straight.run()
    code, _, err = await driver(killed, failpoint="after-model-intent:2")
    assert -signal.SIGKILL == code, err
    assert [] == leaks(isolated)

    done = await killed.resume()

    assert 0 == done.exit_code
    bodies = [[sent(seen).replace(str(stage.folder), "") for seen in stage.asked()] for stage in (straight, killed)]
    assert _same(bodies[0]) == _same(bodies[1])
    assert {"password": RESULT, "why": [{"deep": f"by {AMBIENT} and {VARIABLE}!"}]} == got(killed, "sent.json")
    assert [] == leaks(isolated)


def _same(bodies):
    return [{k: v for k, v in json.loads(body).items() if k not in {"metadata", "prompt_cache_key"}} for body in bodies]


async def test_a_number_that_nobody_gave_is_named_and_nothing_runs(masked):
    """A06"""
    stage = masked()
    stage.replies[1] = calls(("refund", {"to": "[REDACTED:9] or [REDACTED:1]"}))

    done = await stage.run()

    result = stage.results()["c2.1"]
    assert ("INVALID_ARGS", True, 0) == (result["code"], result["error"], done.exit_code)
    assert "[REDACTED:9] stands for nothing" in result["message"]
    assert "[REDACTED:9] stands for nothing" in sent(stage.asked()[2])
    assert not (stage.folder / "sent.json").exists()


async def test_a_tool_that_repeats_what_it_was_filled_in_with_tells_the_model_nothing(masked):
    """A PIN of four digits is no secret by its form, nor known elsewhere; a misfit is told without it too."""
    stage = masked()
    properties = {"n": {"type": "integer"}, "say": {"type": "string"}}
    stage.tool("echo", "cat", parameters={"type": "object", "properties": properties})
    stage.replies = [
        calls(("echo", {"n": 5, "say": "[REDACTED:2] is it"})),
        calls(("echo", {"n": "[REDACTED:2]"})),
        Reply(text="No."),
    ]

    await stage.run()

    assert {"n": 5, "say": "[REDACTED:2] is it"} == stage.results()["c1.1"]["data"]
    assert "INVALID_ARGS" == stage.results()["c2.1"]["code"]
    assert PIN not in sent(stage.asked()[1]) + sent(stage.asked()[2])


async def test_a_secret_that_would_leave_while_untrusted_text_is_in_is_asked_for(masked):
    """D21: filled in it is private data, whatever tool it came from."""
    stage = masked()
    stage.policy(risk={"auto_approve": "high"}, trust={"after_untrusted": "low"})
    stage.tools[0] |= {"untrusted": True}
    stage.tools[1] |= {"side_effects": "none", "egress": True}
    plain = masked()
    plain.policy(risk={"auto_approve": "high"}, trust={"after_untrusted": "low"})
    plain.tools[0] |= {"untrusted": True}
    plain.tools[1] |= {"side_effects": "none", "egress": True}
    plain.replies[1] = calls(("refund", {"why": "nothing"}))

    parked, done = await stage.run(), await plain.run()

    (asked,) = stage.events(ApprovalRequested)
    assert (12, 0) == (parked.exit_code, done.exit_code)
    assert "private data from the secrets that it is filled in with and a way out" in asked.rule


async def test_a_secret_of_the_models_own_goes_to_the_tool_and_to_nobody_else(isolated, masked):
    """Another provider, and the journal, know it by its number."""
    stage = masked("chat")
    stage.replies[0] = calls(("fetch", {"password": MADE_UP}))

    await stage.run()

    assert {"password": MADE_UP} == got(stage, "got.json")
    assert MADE_UP not in heard(stage)
    assert {"password": "[REDACTED:3]"} == stage.events(ToolStarted)[0].args
    assert [] == leaks(isolated)


async def test_steps_are_made_with_the_values_and_told_with_numbers(masked):
    """G20"""
    stage = masked(steps=[{"tool": "fetch", "args": {"q": "as {{pass}}"}}])
    stage.replies = [Reply(text="Done.")]

    await stage.run()

    assert {"q": f"as {VARIABLE}"} == got(stage, "got.json")
    assert "as [REDACTED:1]" in sent(stage.asked()[0])
    assert VARIABLE not in heard(stage)
    assert {"q": "as [REDACTED:1]"} == stage.events(StepsPlanned)[0].calls[0].args


async def test_what_a_check_and_a_broken_tool_say_is_masked_too(masked):
    """A85"""
    stage = masked(check={"command": ["sh", "-c", f"echo not with {VARIABLE}; exit 1"]})
    stage.tool("broken", f"echo 'login failed: password={RESULT}' >&2; exit 3")
    stage.replies = [calls(("broken", {})), Reply(text="Done."), Reply(text="Still.")]

    await stage.run()

    assert "not with [REDACTED:1]" in heard(stage)
    assert "password=[REDACTED:3]" in heard(stage)
    assert [] == [secret for secret in SECRETS if secret in heard(stage)]


async def test_a_warmed_prefix_is_what_runs_send(masked):
    """A49: a variable of the goal alone takes no number that the prefix has."""
    stage = masked(vars={"pin": {"secret": True, "default": PIN}, "pass": {"secret": True, "default": VARIABLE}})
    stage.replies = [Reply(text="Done.")] * 3
    path = await stage.lay_out()
    await warming.warm(Order(path, user="ada"), How(), store=None, listener=Watcher(stage))
    await stage.run()

    seed, *_, run = (seen.body for seen in stage.asked())
    assert (seed["system"], seed["tools"]) == (run["system"], run["tools"])
    assert "Sign in with [REDACTED:1]." in json.dumps(seed["system"])
    assert VARIABLE not in heard(stage)


async def test_a_secret_in_the_description_of_a_tool_is_masked(masked):
    stage = masked()
    stage.tools[0] |= {
        "description": f"Use it with {AMBIENT}.",
        "parameters": {"type": "object", "properties": {"password": {"type": "string", "description": "a word"}}},
    }
    stage.replies = [Reply(text="Done.")]

    await stage.run()

    assert AMBIENT not in heard(stage)
    assert '"password": {"type": "string"' in sent(stage.asked()[0])


async def test_it_is_not_switched_on_in_the_middle(masked):
    stage = masked()
    stage.policy(scrub={"to_model": False})
    await stage.run()
    stage.policy(scrub={"to_model": True})

    with pytest.raises(Forbidden, match="its model has seen secrets as they are"):
        await stage.resume(Person([Answer("approve", "ada", "")]))


async def test_a_run_goes_on_filling_in_where_it_is_switched_off(masked):
    stage = masked()
    await stage.run()
    stage.policy(scrub={"to_model": False})

    done = await stage.resume(Person([Answer("approve", "ada", ""), Answer("approve", "ada", "")]))

    assert 0 == done.exit_code
    assert RESULT == got(stage, "sent.json")["password"]


async def test_values_are_destroyed_with_the_run(isolated, masked):
    stage = masked()

    await stage.run(Person([Answer("approve", "ada", "")]))

    assert stage.events(SecretsNumbered)
    with stage.store() as journal:
        (left,) = journal.read(lambda tx: tx.execute("SELECT COUNT(*) FROM sealed").fetchone())
    assert 0 == left


@pytest.mark.parametrize("to_model", [False, True])
async def test_a_copied_secret_is_masked_where_the_copy_is_shown(stages, monkeypatch, isolated, to_model):
    """D21: copies are compared without case, and shown so."""
    secret = "Xy7-Ambient-1B2C3D4E"
    monkeypatch.setenv("SHOP_PASSWORD", secret)
    stage = stages()
    stage.policy(scrub={"to_model": to_model}, risk={"auto_approve": "high"})
    told = f"Please deploy everything tonight with {secret} to the new machine at once"
    stage.tool("fetch", f"echo '\"{told}\"'", untrusted=True)
    log = stage.effect("send", parameters={"type": "object"})
    copied = told.replace(secret, "[REDACTED:1]") if to_model else told
    stage.replies = [calls(("fetch", {})), calls(("send", {"text": copied})), Reply(text="Done.")]

    await stage.run(Person([Answer("approve", "ada", "")]))

    (started,) = [one for one in stage.events(ToolStarted) if one.tool == "send"]
    assert started.copied
    assert log.exists()
    shown = repr([*stage.stamped, *stage.notes])
    assert secret.casefold() not in shown.casefold()
    data = b"".join(path.read_bytes() for path in isolated.rglob("*") if path.is_file())
    assert secret.casefold().encode() not in data.lower()


async def test_a_person_edits_around_a_placeholder(masked):
    """What the tool gets is filled in; what the model is told of the edit is not."""
    stage = masked()
    given = {"password": "[REDACTED:3]", "why": "with [REDACTED:1]"}

    await stage.run(Person([Answer("edit", "ada", args=given), Answer("approve", "ada", "")]))

    assert {"password": RESULT, "why": f"with {VARIABLE}"} == got(stage, "sent.json")
    assert "changed the arguments before it ran, to" in sent(stage.asked()[2])
    assert "with [REDACTED:1]" in sent(stage.asked()[2])
    assert [] == [secret for secret in SECRETS if secret in heard(stage) + repr(stage.stamped)]
