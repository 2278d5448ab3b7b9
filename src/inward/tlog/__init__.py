"""The Merkle log: trees, proofs, signed checkpoints. It stores and hashes bytes, and knows no event."""
