"""The embedded certificate authority of a trust domain: its keys, its rollover, and the SVIDs that it mints."""
