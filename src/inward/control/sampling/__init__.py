"""Sampling: what answers hold that nobody declared, seen in a few of them."""
