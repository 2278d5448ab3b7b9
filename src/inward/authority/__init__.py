"""The embedded certificate authority of a trust domain: its keys, its rollover, its SVIDs."""
