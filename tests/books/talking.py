"""What a member of a fleet can do in a conversation: run after run of one session, each with words of its own."""

import asyncio
from pathlib import Path

from agentctl.runner import api
from agentctl.runner.order import Order
from tests.books.work import Deaf, Say, pass_gate, warm_up

__all__ = ["talks", "warm_up"]


def talks(say: Say, task: str, who: list[str], name: str, gates: list[str]) -> None:
    """Run a task once per gate, as this tenant and user, in this session."""
    tenant, user, session = who
    for number, gate in enumerate(gates):
        pass_gate(gate)
        variables = {"word": f"[{'/'.join(who)} {name}.{number}]"}
        order = Order(Path(task), variables=variables, tenant=tenant, user=user, session=session)
        body = asyncio.run(api.run(order, store=None, listener=Deaf(), approver=None)).body
        say(run_id=body["run_id"], exit_code=body["exit_code"], message=body["message"])
