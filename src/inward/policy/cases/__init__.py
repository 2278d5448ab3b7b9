"""Tests of policies: `policies/*.test.yaml` as cases, each decided by the engine and held against what is expected."""
