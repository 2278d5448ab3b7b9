"""Grants made as narrow as their use: which pairs they lose, how sure that is, and how their texts say it."""
