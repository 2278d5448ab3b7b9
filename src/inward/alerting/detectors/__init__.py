"""The detectors, one module each; `inward.alerting.registry` lists them."""
