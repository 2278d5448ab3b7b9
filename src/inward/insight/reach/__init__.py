"""Reach: what an attacker who holds one service could call and read, directly and through others."""
