"""An attack on a running system in the place of one of its services: what is tried, and what came of it."""
