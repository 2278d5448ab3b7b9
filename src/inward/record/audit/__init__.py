"""The audit trail: the record as a Merkle log, its signed checkpoints, and what they prove."""
