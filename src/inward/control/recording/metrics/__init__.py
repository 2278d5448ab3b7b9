"""A running system as metrics: what it records and how it does itself, on a page for Prometheus and sent by OTLP."""
