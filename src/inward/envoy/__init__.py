"""Catalog and policy to Envoy resources; the files, their confirmation, the log, and the slow path."""
