"""Tools that need no program: one file each."""
