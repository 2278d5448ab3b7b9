"""The guard: the enforcer inside a Python service, which knows what an answer holds."""
