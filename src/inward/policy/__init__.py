"""Load, validate, index and decide Cedar policies; the only package that imports cedarpy."""
