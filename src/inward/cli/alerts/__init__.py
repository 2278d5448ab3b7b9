"""`inward alerts …`: what looks like misuse, and what people do with it."""
