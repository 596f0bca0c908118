"""What leaves in a bundle: the run, its policy where it still is the one, and no secret in any spelling."""

import asyncio
import zipfile

import pytest

from agentctl.core.events import Stamped, Thought
from agentctl.journal import verifying
from agentctl.journal.runs import NewRun
from agentctl.journal.store import open_store
from agentctl.runner import exporting
from tests.runner.stage import KEY, Reply, calls
from tests.runner.test_secrets import AMBIENT, SECRETS, VARIABLE, secretive

assert secretive


def exported(stage, tmp_path):
    with stage.store() as journal:
        path, manifest = exporting.export(journal, stage.run_id, tmp_path / "run.zip", over=True)
    with zipfile.ZipFile(path) as archive:
        return manifest, {name: archive.read(name) for name in archive.namelist()}


async def test_no_secret_and_no_sealed_original_leaves(secretive, tmp_path):
    """A41"""
    stage, _ = secretive("messages")
    await stage.run(variables={"pass": VARIABLE})
    manifest, files = exported(stage, tmp_path)

    assert () == verifying.verify(tmp_path / "run.zip").problems
    assert "unfinished" != manifest["status"]
    for secret in SECRETS:
        for spelling in (secret.encode(), secret.encode().hex().encode(), secret.encode("utf-16-le")):
            assert [] == [name for name, body in files.items() if spelling in body]
    with stage.store() as journal:
        bodies = journal.read(lambda tx: tx.execute("SELECT body FROM sealed").fetchall())
    assert bodies
    assert [] == [name for name, held in files.items() for (body,) in bodies if body in held]


async def test_headers_and_known_secrets_of_the_policy_are_left_out(stages, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", AMBIENT)
    stage = stages("messages")
    stage.replies = [Reply(text="Done.")]
    stage.providers[0]["headers"] = {"x-gateway": "Hd7-header-5566"}
    await stage.run()
    _, files = exported(stage, tmp_path)

    assert b"x-gateway" in files["policy.toml"]
    assert b"Hd7-header-5566" not in files["policy.toml"]
    assert KEY.encode() not in b"".join(files.values())
    assert b'"source"' in files["prices.json"]


async def test_a_policy_that_changed_since_is_left_out(stages, tmp_path):
    stage = stages("messages")
    stage.replies = [Reply(text="Done.")]
    await stage.run()
    before, files = exported(stage, tmp_path)
    assert "policy.toml" in files
    (policy,) = stage.folder.glob("policy*.toml")
    policy.write_text(policy.read_text() + "\n[handoff]\nafter_tool_errors = 7\n")

    after, files = exported(stage, tmp_path)

    assert "policy.toml" not in files
    assert (before["chain"], before["events"]) == (after["chain"], after["events"])
    assert () == verifying.verify(tmp_path / "run.zip").problems


@pytest.mark.slow
async def test_a_run_that_goes_on_is_exported_up_to_a_moment(stages, tmp_path):
    stage = stages("messages")
    stage.tool("slow", "sleep 0.05; printf '{}'", parameters={"type": "object"})
    stage.replies = [*(calls(("slow", {"n": n})) for n in range(8)), Reply(text="Done.")]
    running = asyncio.ensure_future(stage.run())
    counts = []
    while not running.done():
        await asyncio.sleep(0.05)
        with stage.store() as journal:
            for row in journal.runs():
                _, manifest = exporting.export(journal, row.run_id, tmp_path / "live.zip", over=True)
                counts.append(manifest["events"])
                assert () == verifying.verify(tmp_path / "live.zip").problems
    await running

    assert counts == sorted(counts)


async def test_a_run_can_be_exported_while_it_goes_on(tmp_path):
    """What is added between two looks is no fault of the run."""
    with (
        open_store(f"sqlite:///{tmp_path}/a.db", seal_dir=tmp_path) as journal,
        open_store(f"sqlite:///{tmp_path}/a.db", seal_dir=tmp_path) as other,
    ):
        await journal.create_run(NewRun("r_1", "s_1", "ada", "t", "{}", 1.0))
        epoch = await journal.take("r_1", "else/x/y:1:1:a")
        going = True

        async def goes_on():
            seq = 0
            while going:
                seq += 1
                await journal.append(epoch, [Stamped("r_1", seq, "s_1", 1, 1.0, Thought("x"))])
                await asyncio.sleep(0.005)  # whoever writes without a pause outruns whoever copies all of it

        task = asyncio.create_task(goes_on())
        counts = []
        for _ in range(20):
            await asyncio.sleep(0.02)
            _, manifest = await asyncio.to_thread(exporting.export, other, "r_1", tmp_path / "a.zip", over=True)
            assert () == verifying.verify(tmp_path / "a.zip").problems
            counts.append(manifest["events"])
        going = False
        await task

    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
