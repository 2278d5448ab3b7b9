"""Who is told of alerts: what is sent to each, as bytes; sending it is not done here."""
