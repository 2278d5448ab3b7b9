"""What nobody used: grants, conditions and disclosures, held against the record, and how sure that is."""
