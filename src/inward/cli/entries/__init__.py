"""How entries of the record are printed: a table, lines of JSON, OCSF events, CSV."""
