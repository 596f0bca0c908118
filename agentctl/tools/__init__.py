"""The tools that a task names: programs and built-ins, opened from their declarations."""
