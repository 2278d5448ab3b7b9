"""Two systems compared by what they allow: which cells can differ, whether they do, and what the catalog changes."""
