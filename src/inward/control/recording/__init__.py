"""What becomes of calls while a system runs: they are read from the logs, recorded, and signed."""
