"""What `inward reach` prints of one service."""
