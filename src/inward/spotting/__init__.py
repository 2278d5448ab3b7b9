"""Spotting: data in answers that nobody declared."""
