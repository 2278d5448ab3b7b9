"""Benchmarks: whole programs side by side in one run; ratios and CPU per request, since machines are noisy."""
