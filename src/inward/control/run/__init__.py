"""One run of a system: its processes, identities, policy and record, kept going until it is ended."""
