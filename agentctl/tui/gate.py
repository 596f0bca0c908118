"""When a key counts, as at the plain prompt: neither a burst of typing nor a key held down decides anything."""

from __future__ import annotations

from collections.abc import Callable

from agentctl.approvals.terminal import QUIET_S


class Gate:
    """Shut while something has just appeared, and again after every key that came too early."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock = clock
        self._opens = 0.0
        self.shut()

    def shut(self) -> None:
        """Something appeared: keys count once it has been quiet for `QUIET_S`."""
        self._opens = self._clock() + QUIET_S

    def lets_through(self, age_s: float = 0.0) -> bool:
        """Whether a key that was pressed so long ago counts; one that does not shuts it anew."""
        if self._clock() - age_s < self._opens:
            self.shut()
            return False
        return True
