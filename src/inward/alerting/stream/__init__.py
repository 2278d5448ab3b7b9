"""What detectors see the stream of calls with: its time, tables without growth, baselines, distinct counts."""
