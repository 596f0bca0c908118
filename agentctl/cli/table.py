"""The commands of `agentctl`: their panel, their name, where each is, and an example that works."""

from __future__ import annotations

from agentctl.cli import nouns

PANELS = RUN, PEOPLE, POLICY, SEE, STORE = ("Run", "People", "Policy", "See", "Store")
COMMANDS: tuple[tuple[str, str, str, str], ...] = (
    (RUN, "init", "init.init", "agentctl init demo"),
    (RUN, "run", "run.run", "agentctl run demo/task.toml --rehearse --var order=A-1001 --session monday"),
    (RUN, "resume", "resume.resume", "agentctl resume r_a3f7b2 --add-usd 0.50"),
    (RUN, "pause", "stopping.pause", "agentctl pause r_a3f7b2"),
    (RUN, "cancel", "stopping.cancel", "agentctl cancel r_a3f7b2"),
    (RUN, "fork", "fork.fork", "agentctl fork r_a3f7b2 --at 15 --policy strict"),
    (POLICY, "drill", "drill.drill", "agentctl drill demo/task.toml"),
    (PEOPLE, "approvals", "approvals.approvals", "agentctl approvals --json"),
    (PEOPLE, "approve", "deciding.approve", "agentctl approve r_a3f7b2"),
    (PEOPLE, "deny", "deciding.deny", 'agentctl deny r_a3f7b2 c3.0 --why "ask the customer first"'),
    (POLICY, "audit", "audit.audit", "agentctl audit demo/task.toml"),
    (SEE, "monitor", "monitor.monitor", "agentctl monitor"),
    (SEE, "show", "show.show", "agentctl show r_a3f7b2"),
    (SEE, "trace", "trace.trace", "agentctl trace r_a3f7b2 --inputs"),
    (SEE, "replay", "replay.replay", "agentctl replay r_a3f7b2 --from 12"),
    (SEE, "events", "events.events", "agentctl events r_a3f7b2 -f | jq .event_type"),
    (SEE, "stats", "stats.stats", "agentctl stats --since 30d --by tool"),
    (SEE, "help", "topics.show", "agentctl help budgets"),
    (STORE, "doctor", "doctor.doctor", "agentctl doctor"),
    (STORE, "export", "bundles.export", "agentctl export r_a3f7b2 --out order.zip"),
    (STORE, "verify", "bundles.verify", "agentctl verify order.zip"),
)
GROUPS: tuple[nouns.Group, ...] = (
    (
        RUN,
        "cache",
        "The prompt cache of the providers",
        (("warm", "cache.warm", "agentctl cache warm demo/task.toml"), ("stats", "hits.stats", "agentctl cache stats")),
    ),
    (
        RUN,
        "rehearse",
        "The stand-in model, and what it plays",
        (
            ("serve", "rehearse.serve", "agentctl rehearse serve demo/rehearsal.toml --port 8080"),
            ("schema", "rehearse.describe", "agentctl rehearse schema > rehearsal.schema.json"),
        ),
    ),
    (
        POLICY,
        "policy",
        "What runs may spend, do and fall back on",
        (
            ("list", "check.policies", "agentctl policy list"),
            ("check", "check.policy_check", "agentctl policy check standard demo/policy.toml"),
            ("show", "policy.show", "agentctl policy show demo/policy.toml --toml"),
            ("test", "policy_test.expectations", "agentctl policy test demo/policy.toml --cases cases.toml"),
            (
                "explain",
                "policy_explain.explain",
                """agentctl policy explain strict shell '{"command": "git status; ls"}'""",
            ),
            ("diff", "policy_diff.diff", "agentctl policy diff standard strict"),
            ("backtest", "policy_backtest.backtest", "agentctl policy backtest strict --since 30d --fail-on stop"),
            ("suggest", "policy_suggest.suggest", "agentctl policy suggest demo/policy.toml --since 7d"),
            ("new", "policy.new", "agentctl policy new policy.toml"),
            ("schema", "policy.schema", "agentctl policy schema > policy.schema.json"),
        ),
    ),
    (
        POLICY,
        "task",
        "Task files",
        (
            ("check", "check.task_check", "agentctl task check demo/task.toml"),
            ("schema", "task.schema", "agentctl task schema"),
        ),
    ),
    (
        POLICY,
        "tools",
        "The tools of a task",
        (
            ("list", "tools.listing", "agentctl tools list demo/task.toml"),
            ("check", "tools.check", "agentctl tools check demo/task.toml"),
            ("try", "tools.attempt", """agentctl tools try demo/task.toml read_file '{"path": "notes/refunds.md"}'"""),
        ),
    ),
    (
        POLICY,
        "scrub",
        "What is masked",
        (("test", "scrub.tried", "agentctl scrub test build.log --policy standard"),),
    ),
    (
        STORE,
        "auth",
        "Keys in the keyring of this machine",
        (
            ("set", "auth.store", "agentctl auth set anthropic"),
            ("list", "auth.listing", "agentctl auth list"),
            ("remove", "auth.remove", "agentctl auth remove anthropic"),
        ),
    ),
    (
        STORE,
        "store",
        "The file that holds all runs",
        (
            ("check", "store.check", "agentctl store check --repair"),
            ("migrate", "store.migrate", "agentctl store migrate"),
            ("backup", "store.backup", "agentctl store backup agentctl.backup.db"),
        ),
    ),
)
