"""The commands about the rollups of the record."""
