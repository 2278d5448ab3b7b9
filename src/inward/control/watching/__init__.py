"""Alerts while a system runs: the record is watched, people and programs are told, and a caller may be cut off."""
