"""The record as metrics: from entries to counters, and from those to Prometheus's text and to OTLP."""
