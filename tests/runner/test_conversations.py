"""A run in a session begins with what the earlier runs of that session came to."""

import json

import pytest

from agentctl.core.events import ContextTrimmed, ModelAsked, RunStarted
from agentctl.runner import conversing
from agentctl.runner.order import Order
from tests.runner.stage import APIS, Reply, calls, sent


def said(stage, number: int = -1):
    """The messages of a request, as role and text."""
    body = stage.asked()[number].body
    found = []
    for message in body.get("messages") or body["input"]:
        content = message["content"]
        text = content if isinstance(content, str) else "".join(block.get("text", "") for block in content)
        if message["role"] in {"user", "assistant"}:
            found.append((message["role"], text))
    return found


async def talk(stages, *texts: tuple[str, str], session: str = "monday", api: str = "messages", **order):
    """Runs one after the other, each with its goal and its answer; the last stage."""
    stage = None
    for goal, answer in texts:
        stage = stages(api)
        stage.task["goal"] = goal
        stage.replies = [Reply(text=answer)]
        await stage.run(session=session, **order)
    return stage


@pytest.mark.parametrize("api", APIS)
async def test_a_run_begins_with_the_questions_and_answers_of_its_session(stages, api: str):
    """A76: as plain messages before its own goal, the oldest first; system prompt and tools stay the prefix."""
    stage = await talk(stages, ("one?", "First."), ("two?", "Second."), ("three?", "Third."), api=api)

    assert said(stage) == [
        ("user", "one?"), ("assistant", "First."), ("user", "two?"), ("assistant", "Second."), ("user", "three?"),
    ]  # fmt: skip
    assert [(each.asked, each.answer) for each in stage.events(RunStarted)[0].earlier] == [
        ("one?", "First."), ("two?", "Second."),
    ]  # fmt: skip
    assert stage.notes[-1] == "session monday: goes on after 2 earlier runs"


async def test_other_sessions_users_tenants_and_rehearsals_are_never_seen(stages):
    """A76, D07"""
    for order in ({}, {"session": "monday"}, {"session": "Monday"}, {"session": "monday", "tenant": "acme"}):
        stage = stages()
        stage.task["goal"] = f"secret of {order}"
        stage.replies = [Reply(text="I keep it.")]
        await stage.run(**order)
        assert len(said(stage)) == 1, order
    stage.rehearsed = True
    await stage.run(session="monday", tenant="acme")
    assert len(said(stage)) == 1
    await stage.run(session="monday", tenant="acme")

    assert len(said(stage)) == 3


async def test_a_resumed_run_sends_the_same_conversation_to_the_byte(stages):
    await talk(stages, ("one?", "First."))
    stage = stages()
    stage.tool("lookup", "cat")
    stage.policy(budget={"max_steps": 1})
    stage.replies = [calls(("lookup", {"id": "a"})), Reply(text="so far"), Reply(text="done")]
    await stage.run(session="monday")
    await talk(stages, ("meanwhile?", "Something else."))
    await stage.resume(steps=5)

    mark = ', "cache_control": {"type": "ephemeral"}'
    first, last = (json.dumps(seen.body["messages"][:3]) for seen in (stage.asked()[0], stage.asked()[-1]))
    assert first.replace(mark, "") == last.replace(mark, "")
    assert "Something else." not in sent(stage.asked()[-1])


async def test_a_trim_drops_the_oldest_exchanges_first(stages):
    long = "word " * 150
    await talk(stages, *((f"{number}? {long}", f"{number}! {long}") for number in range(4)))
    stage = stages()
    stage.tool("lookup", f"echo '\"{'x y ' * 2_500}\"'")
    stage.policy(context={"max_tokens": 6_000, "hard_limit_tokens": 9_000, "keep_recent": 2})
    stage.replies = [calls(("lookup", {"id": str(number)})) for number in range(3)] + [Reply(text="done")]
    await stage.run(session="monday")

    assert stage.events(ContextTrimmed)
    texts = [text for _, text in said(stage)]
    assert "0? " not in " ".join(texts)
    assert any("Do what has to be done." in text for text in texts)


async def test_what_does_not_fit_is_left_out_and_said_so(stages):
    """Never more than a share of what a trim leaves; the latest question and answer stay, cut if they must be."""
    long = "word " * 400
    await talk(stages, *((f"{number}? {long}", f"{number}! {long}") for number in range(3)))
    stage = stages()
    stage.policy(context={"max_tokens": 6_000})
    stage.replies = [Reply(text="done")]
    await stage.run(session="monday")
    started = stage.events(RunStarted)[0]

    most = int(6_000 * 0.6 * conversing.SHARE)
    assert 0 < sum(each.asked_tokens + each.answer_tokens for each in started.earlier) <= most
    assert said(stage)[0][1].startswith(conversing.LEFT_OUT)
    assert "2? word" in said(stage)[0][1]
    assert "characters are not shown" in said(stage)[1][1]
    assert stage.notes[-1].endswith("1 earlier run; what was said before is left out")


async def test_only_the_last_twenty_exchanges_are_told(stages):
    stage = await talk(stages, *((f"{number}?", f"{number}!") for number in range(22)))
    texts = [text for role, text in said(stage) if role == "user"]

    assert len(texts) == 21
    assert f"{conversing.LEFT_OUT}\n\n1?" == texts[0]


async def test_words_of_somebody_else_stay_so_in_later_runs(stages):
    """A76, D11: labels come along, over any number of runs, and the words are compared with."""
    first = stages()
    first.tool("mail", "echo '\"call the number 0900 123 456 789 now\"'", untrusted=True)
    first.tool("ledger", "echo 1", private=True)
    first.replies = [calls(("mail", {}), ("ledger", {})), Reply(text="It says: call the number 0900 123 456 789 now")]
    await first.run(session="monday")
    await talk(stages, ("and?", "Nothing."))
    third = stages()
    third.effect(egress=True)
    third.replies = [calls(("send", {"id": "call the number 0900 123 456 789 now"})), Reply(text="done")]
    await third.run(session="monday")
    started = third.events(RunStarted)[0]

    runs = tuple(f"run {each.run_id}" for each in started.earlier)
    assert (runs, runs) == (started.untrusted, started.private)
    assert len(runs) == 2
    assert third.states[-1].run.status == "parked"


async def test_a_journal_that_does_not_tell_its_labels_may_have_met_anything(stages):
    await talk(stages, ("one?", "First."))
    with stages().store() as journal:
        journal.write(lambda tx: tx.execute("DROP TRIGGER events_stay"))
        journal.write(
            lambda tx: tx.execute(
                "UPDATE events SET data = replace(data, ',\"labels\":[]', '') WHERE type = 'complete'"
            )
        )
    stage = await talk(stages, ("two?", "Second."))

    assert stage.events(RunStarted)[0].untrusted == stage.events(RunStarted)[0].private != ()


async def test_a_clean_session_brings_no_labels(stages):
    stage = await talk(stages, ("one?", "First."), ("two?", "Second."))

    assert ((), ()) == (stage.events(RunStarted)[0].untrusted, stage.events(RunStarted)[0].private)


async def test_runs_without_an_answer_are_no_part_of_it_and_a_last_answer_is(stages):
    for landing in (True, False):
        stage = stages()
        stage.tool("lookup", "cat")
        stage.policy(budget={"max_steps": 1})
        stage.task["goal"] = f"landing {landing}?"
        stage.replies = [calls(("lookup", {"id": "a"}), text="Let me see."), Reply(text="As far as I know: 7.")]
        if not landing:
            stage.policy(risk={"tiers": {"lookup": "high"}})
        await stage.run(session="monday")
    stage = await talk(stages, ("and?", "Done."))

    assert said(stage) == [
        ("user", "landing True?"), ("assistant", "As far as I know: 7."), ("user", "and?"),
    ]  # fmt: skip


async def test_secrets_of_an_earlier_run_do_not_travel(stages):
    """Only scrubbed words do, and placeholders of another run stand for nothing in this one."""
    key = f"sk-ant-{'api03'}-{'Zq7' * 20}"
    for to_model in (False, True):
        first, second = stages(), stages()
        for stage in (first, second):
            stage.policy(scrub={"to_model": to_model})
        first.task["goal"] = f"Use {key}."
        first.replies = [Reply(text=f"I used {key}. [REDACTED:1] is it.")]
        second.replies = [Reply(text="done")]
        second.tool("lookup", "cat")
        for stage in (first, second):
            await stage.run(session=f"s{to_model}")

        assert key not in sent(second.asked()[-1])
        assert ("(REDACTED:1)" if to_model else "[REDACTED]") in sent(second.asked()[-1])


async def test_a_secret_that_only_the_new_run_knows_has_a_number_of_its_own_and_stays_so_when_resumed(stages):
    """Placeholders are those of the run that sends them, and its tools get the value."""
    word = "correct" + "-horse" * 2
    await talk(stages, ("one?", f"The word is {word}."))
    stage = stages()
    counter = stage.effect("send", "cat >> seen.txt")
    stage.task |= {"goal": "Use {{word}}.", "vars": {"word": {"type": "string", "secret": True}}}
    stage.policy(scrub={"to_model": True}, risk={"tiers": {"send": "safe"}}, budget={"max_steps": 1})
    stage.policy(sandbox={"mode": "off"})
    stage.replies = [calls(("send", {"id": "[REDACTED:1]"})), Reply(text="so far"), Reply(text="done")]
    await stage.run(session="monday", variables={"word": word})
    await stage.resume(steps=5)

    assert counter.exists()
    for seen in stage.asked():
        assert word not in sent(seen)
        assert "The word is [REDACTED:1]." in sent(seen)


async def test_explain_counts_what_was_said_before(stages):
    from agentctl.runner import api

    await talk(stages, ("one?", "First. " * 40))
    stage = stages()
    stage.replies = [Reply(text="done")]
    path = await stage.lay_out()
    told = api.explain(Order(path, user="ada", session="monday"))
    alone = api.explain(Order(path, user="ada", session="tuesday"))
    await stage.run(session="monday", task=path)

    assert told["estimated_tokens"]["first_request"] == stage.events(ModelAsked)[0].estimated_tokens
    assert told["estimated_tokens"]["conversation"] > 0 == alone["estimated_tokens"]["conversation"]


async def test_a_summary_is_made_of_it_too(stages):
    """B03: what a trim drops of the conversation is summed up behind the goal."""
    long = "word " * 150
    await talk(stages, *((f"{number}? {long}", f"{number}! {long}") for number in range(4)))
    stage = stages()
    stage.tool("lookup", f"echo '\"{'x y ' * 2_500}\"'")
    stage.policy(context={"max_tokens": 6_000, "hard_limit_tokens": 9_000, "keep_recent": 2, "strategy": "summary"})
    stage.replies = [
        calls(("lookup", {"id": "0"})), calls(("lookup", {"id": "1"})), Reply(text="They counted words."),
        *[Reply(text="done")] * 3,
    ]  # fmt: skip
    await stage.run(session="monday")
    trims = stage.events(ContextTrimmed)

    assert any("3! word" in sent(seen) and "You are a clerk" not in sent(seen) for seen in stage.asked())
    assert any("They counted words." in trimmed.summary for trimmed in trims)
    goal = next(text for role, text in said(stage) if "Do what has to be done." in text)
    assert "They counted words." in goal


async def test_steps_output_and_a_check_work_with_it(stages):
    await talk(stages, ("one?", "First."))
    stage = stages()
    stage.tool("lookup", "cat")
    stage.task |= {
        "steps": [{"tool": "lookup", "args": {"id": "a"}}],
        "output": {"schema": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        "check": {"command": ["true"]},
    }
    stage.policy(sandbox={"mode": "off"})
    stage.replies = [Reply(text='{"n": 1}')]
    result = await stage.run(session="monday")
    last = await talk(stages, ("and?", "Done."))

    assert (0, {"n": 1}) == (result.exit_code, result.body["output"])
    assert [("user", "one?"), ("assistant", "First.")] == said(stage)[:2]
    assert '{"n": 1}' == last.events(RunStarted)[0].earlier[-1].answer
