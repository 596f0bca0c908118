"""Files that people write, read into the values of the core; what is wrong in them, said with its place."""
