"""The commands about the record as evidence."""
