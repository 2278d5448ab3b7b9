"""Asks the program of a guarded service, past its Envoy, whether a guard stands before everything that it serves."""
