"""Run LLM agents from the terminal under a policy."""

__version__ = "0.1.0"
