"""The pure core: what a run is and what happens next. Standard library only; no clock, dice, files or sockets."""
