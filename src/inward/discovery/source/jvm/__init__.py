"""Java and Kotlin services, read as tokens."""
