"""The command line: parse and print. One file per noun; whatever is slow is imported inside the command."""
