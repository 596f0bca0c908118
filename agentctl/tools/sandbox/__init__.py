"""Where programs of a task run: shut in, or said not to be."""
