"""What a guarded application really serves, and whether its guard refuses each of it."""
