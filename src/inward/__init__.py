"""Inward: internal APIs that ask for an identity, allow only what was granted, and leave a record."""

__version__ = "0.1.0"
