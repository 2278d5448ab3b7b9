"""Export: calls in the forms of others."""
