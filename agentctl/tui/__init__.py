"""The monitor: it reads the journal, answers through the inbox, and never drives anything."""
