"""Cedar conditions as trees of the Common Expression Language, for Envoy: exactly, or not at all."""

from inward.policy.cel.cell import reads_of_scope, translate
from inward.policy.cel.fold import UntranslatableError

__all__ = ["UntranslatableError", "reads_of_scope", "translate"]
