"""Cedar conditions as trees of the Common Expression Language, for Envoy: exactly, or not at all."""

from inward.policy.cel.fold import UntranslatableError
from inward.policy.cel.translate import translate

__all__ = ["UntranslatableError", "translate"]
