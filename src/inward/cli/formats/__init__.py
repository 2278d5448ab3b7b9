"""What a check found, in the formats that other programs read; pure functions from a value to text."""
