"""Cedar text to policies: split, parse, hold to the rules of ownership, validate."""
