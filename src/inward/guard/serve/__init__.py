"""Serves a guarded ASGI application without an Envoy in front: `python -m inward.guard.serve shop.orders:app`."""
