"""Path templates from observed paths."""
