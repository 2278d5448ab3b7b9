"""The check of a whole system: its steps, what they found, and what one run leaves to the next."""
