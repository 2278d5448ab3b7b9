"""Python services, read as syntax trees."""
