"""What is sent on of the record while a system runs: where to, and how far that has come."""
