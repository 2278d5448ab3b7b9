"""Bodies: what a request may carry, and what is shown of an answer. No I/O."""
