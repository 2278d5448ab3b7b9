"""How the surface is printed: a table, JSON, CSV."""
