"""The surface: every operation, who calls it, what is wrong with it, and one number for all of it."""
