"""For the people who write policies: why a call is decided as it is, and grants written and taken out."""
