"""Words that are somebody else's make every later effect riskier."""

from __future__ import annotations

from agentctl.core.bounds import table
from agentctl.core.tiers import Tier


@table
class Rules:
    """The policy's `[trust]`."""

    enabled: bool = True
    """False is printed at every start."""
    detect: bool = True
    """Log each suspected injection; advice, never the gate. D109"""
    after_untrusted: Tier = Tier.MEDIUM
    """The least tier of calls with effects or egress once untrusted text is in."""
    protect_system_prompt: bool = True
    """Withhold an answer with 25 consecutive words of the system prompt. D09"""
