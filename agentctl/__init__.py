"""Run LLM agents from the terminal under a policy."""

__version__ = "1.0.0"
