"""What was found, what people did with it, and who has been told: kept durably, and each finding once."""
