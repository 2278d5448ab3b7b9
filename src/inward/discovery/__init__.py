"""Discovery: a first catalog for a system that has none, from what runs, what was seen, and what is written."""
