"""SPIFFE IDs, SVIDs and trust bundles, and their verification; no key is minted here."""
