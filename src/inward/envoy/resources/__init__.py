"""Catalog and policy as the resources of Envoy's API: plain JSON values, no files and no processes."""
