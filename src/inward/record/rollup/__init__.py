"""Rollups: what the record comes to per minute, hour and day, and edge. All of it can be made anew from the record."""
