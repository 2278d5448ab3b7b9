"""How an attack is told."""
