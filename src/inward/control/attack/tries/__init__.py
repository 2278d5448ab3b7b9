"""What an intruder would try, kind by kind."""
