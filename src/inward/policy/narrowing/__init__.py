"""Grants written narrower than they are: in which policies, in which words, and in their files."""
