"""Nothing unscrubbed is written: what enters a run is masked on disk and on screen, and real for tool and model."""

import json
import signal
from pathlib import Path

import pytest

from tests.runner.stage import KEY, Answer, Fault, Person, Reply, calls, driver, sent, usage

VARIABLE = "Vz8-variable-9f27ac"
ARGUMENT = "Ar4-argument-77d01b"
RESULT = "Rs5-result-c0ffee42"
AMBIENT = "Am6-ambient-1b2c3d4e"
SECRETS = (VARIABLE, ARGUMENT, RESULT, AMBIENT, KEY)


def leaks(home: Path) -> list[tuple[str, str]]:
    """Every file below the home that holds one of the secrets, in any spelling."""
    found = []
    for path in home.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        for secret in SECRETS:
            spellings = (secret.encode(), secret.encode().hex().encode(), secret.encode("utf-16-le"))
            found += [(path.name, secret) for spelling in spellings if spelling in data]
    return found


@pytest.fixture
def secretive(stages, monkeypatch):
    """A task that meets a secret in every place: a variable, the environment, arguments, results, the model's words."""

    def make(api: str):
        monkeypatch.setenv("SHOP_PASSWORD", AMBIENT)
        stage = stages(api)
        stage.task |= {
            "system": "Sign in with {{pass}}.",
            "goal": "Use {{pass}} and the rest.",
            "vars": {"pass": {"type": "string", "secret": True, "required": True}},
        }
        shown = json.dumps({"password": RESULT, "note": f"it is {AMBIENT}", "big": "x" * 3000})
        stage.tool("fetch", f"cat > got.json; printf '%s' '{shown}'", parameters={"type": "object"})
        log = stage.effect("refund", side_effects="irreversible", parameters={"type": "object"})
        stage.replies = [
            calls(
                ("fetch", {"api_key": ARGUMENT, "id": VARIABLE}), text=f"I use {VARIABLE}.",
                thinking=f"The key is {VARIABLE}, the shop says {AMBIENT}.",
            ),
            calls(("refund", {"password": ARGUMENT, "why": f"{AMBIENT} and {VARIABLE}"})),
            Reply(text=f"Done with {VARIABLE} and {KEY}, password: {RESULT}"),
        ]  # fmt: skip
        return stage, log

    return make


@pytest.mark.parametrize("api", ["messages", "responses", "chat"])
async def test_no_secret_is_written_anywhere_and_tools_and_models_get_the_real_ones(isolated, secretive, api):
    """A41 A45 A86: over a park and a resume; the whole home is searched after each drive."""
    stage, log = secretive(api)

    parked = await stage.run(variables={"pass": VARIABLE})

    assert (12, []) == (parked.exit_code, leaks(isolated))
    assert {"api_key": ARGUMENT, "id": VARIABLE} == json.loads((stage.folder / "got.json").read_text())
    first, second = stage.asked()
    assert f"Use {VARIABLE} and the rest." in sent(first)
    assert f"Sign in with {VARIABLE}." in sent(first)
    for secret in (ARGUMENT, RESULT, AMBIENT, VARIABLE):
        assert secret in sent(second)

    person = Person([Answer("approve", "ada", f"fine, {VARIABLE}")])
    done = await stage.resume(person)

    assert (0, []) == (done.exit_code, leaks(isolated))
    assert 1 == len(log.read_text().split())
    for secret in (ARGUMENT, RESULT, AMBIENT, VARIABLE):
        assert secret in sent(stage.asked()[2])
    said = json.dumps([done.body, [repr(one) for one in stage.stamped], [repr(q) for q in person.asked], stage.notes])
    assert [] == [secret for secret in SECRETS if secret in said]
    assert "Done with [REDACTED] and [REDACTED], password: [REDACTED]" == done.answer


async def test_originals_are_destroyed_when_the_run_is_over(isolated, secretive):
    stage, _ = secretive("messages")

    await stage.run(Person([Answer("approve", "ada")]), variables={"pass": VARIABLE})

    with stage.store() as journal:
        (left,) = journal.read(lambda tx: tx.execute("SELECT COUNT(*) FROM sealed").fetchone())
    assert (0, []) == (left, leaks(isolated))


async def test_a_provider_that_repeats_the_key_in_its_error_is_masked(isolated, stage):
    """C08"""
    stage.policy(retry={"max_attempts": 1})
    stage.replies = [Reply(text="No.")]
    stage.faults = [Fault("status", status=401, message=f"the key {KEY} is wrong, see password={RESULT}")]

    failed = await stage.run()

    assert (14, []) == (failed.exit_code, leaks(isolated))
    assert not any(secret in json.dumps(failed.body) for secret in SECRETS)


async def test_what_a_broken_tool_says_is_masked(isolated, stage):
    """A85"""
    stage.tool("broken", f"echo 'login failed: password={RESULT}' >&2; exit 3")
    stage.replies = [calls(("broken", {})), Reply(text="Sorry.")]

    await stage.run()

    assert [] == leaks(isolated)
    assert "[REDACTED]" in stage.results()["c1.1"]["message"]
    assert RESULT in sent(stage.asked()[1])


async def test_garbled_and_unknown_calls_are_masked_too(isolated, stage):
    stage.tool("fetch", "cat")
    stage.replies = [
        calls(("fetch", {"api_key": ARGUMENT}), ("fetsch", {"token": ARGUMENT}), usage=usage(10)),
        calls(("fetch", {"id": 5, "secret": ARGUMENT}), usage=usage(10)),
        Reply(text="Sorry."),
    ]
    stage.faults = [Fault("bad_args", requests="1")]

    done = await stage.run()

    assert (0, []) == (done.exit_code, leaks(isolated))


async def test_the_seal_key_and_the_store_are_for_their_owner_alone(isolated, secretive):
    stage, _ = secretive("messages")

    await stage.run(variables={"pass": VARIABLE})

    files = [path for path in isolated.rglob("*") if path.is_file()]
    assert files
    assert {0o600} == {path.stat().st_mode & 0o777 for path in files if path.suffix in {".db", ".key", ""}}


LEARNED = "k7x9-Learned-q2w8e5"


@pytest.mark.parametrize("where", ["arguments", "result", "words", "goal"])
async def test_a_resumed_run_masks_what_the_run_before_had_learned(isolated, stage, where):
    """A41: found by its name before the kill, it comes bare afterwards."""
    named = f"password={LEARNED}"
    stage.task["goal"] = f"Do it, {named}; now." if where == "goal" else "Do it."
    stage.tool("tell", f"""echo '"I found {named}"'""" if where == "result" else "cat", parameters={"type": "object"})
    stage.effect("refund", side_effects="irreversible", parameters={"type": "object"})
    stage.replies = [
        calls(("tell", {"password": LEARNED} if where == "arguments" else {}), text=named if where == "words" else ""),
        calls(("refund", {"id": "a"})),
        calls(("tell", {"id": f"x {LEARNED} y"}), text=f"Then {LEARNED} alone."),
        Reply(text=f"It was {LEARNED}."),
    ]

    assert 12 == (await stage.run()).exit_code
    done = await stage.resume(Person([Answer("approve", "ada")]))

    assert "It was [REDACTED]." == done.answer
    assert LEARNED not in json.dumps([repr(one) for one in stage.stamped])
    assert [] == [path.name for path in isolated.rglob("*") if path.is_file() and LEARNED.encode() in path.read_bytes()]
    assert LEARNED in sent(stage.asked()[3])


@pytest.mark.slow
async def test_what_was_learned_is_masked_after_a_kill_too(isolated, stages):
    """A41, E19"""
    stage = stages("chat")
    stage.tool("tell", "cat", parameters={"type": "object"})
    stage.replies = [
        calls(("tell", {"password": LEARNED})),
        Reply(text=f"It was {LEARNED}."),
        Reply(text=f"It was {LEARNED}."),
    ]

    code, _, err = await driver(stage, failpoint="after-model-intent:2")
    assert -signal.SIGKILL == code, err
    done = await stage.resume()

    assert "It was [REDACTED]." == done.answer
    assert [] == [path.name for path in isolated.rglob("*") if path.is_file() and LEARNED.encode() in path.read_bytes()]


@pytest.mark.slow
@pytest.mark.parametrize(("api", "variable"), [("messages", "ANTHROPIC_LOG"), ("chat", "OPENAI_LOG")])
async def test_the_debugging_of_the_sdks_writes_nothing(isolated, stages, monkeypatch, api, variable):
    """C08: their debugging logs whole requests; none of their clients is used, so that nothing passes it."""
    monkeypatch.setenv(variable, "debug")
    stage = stages(api)
    stage.task["goal"] = f"Do it, password={LEARNED}."
    stage.replies = [Reply(text=f"It was {LEARNED}.")]

    code, _, err = await driver(stage)

    assert (0, "") == (code, err)
