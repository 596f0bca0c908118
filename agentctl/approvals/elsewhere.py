"""Nobody can be asked here, but somebody watches the run elsewhere: a monitor, another terminal, another machine."""

from __future__ import annotations

import asyncio

from agentctl.approvals.base import Answer, Question


class Elsewhere:
    """Lets the question stand for its time; whoever answers leaves a letter, and the driver takes the question away."""

    async def ask(self, question: Question) -> Answer | None:
        """None: nobody answered in time."""
        await asyncio.sleep(question.timeout_s)
        return None
