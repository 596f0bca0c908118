"""How a person, a script or nobody answers when a call may not run by itself."""
