"""Alerts: what in the stream of recorded calls looks like misuse, and who is told of it."""
