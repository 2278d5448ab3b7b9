"""What the record teaches: recorded calls held against policies, and what follows from them."""
