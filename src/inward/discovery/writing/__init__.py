"""What was discovered, as files of a system folder."""
