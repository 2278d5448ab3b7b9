"""Rules that teams write themselves, in the Sigma language, over the recorded calls."""
