"""Says why a call is allowed or refused, and what would have to change: for people, never for the caller.

Nothing here decides: `Engine.decide` does, and Cedar itself is asked about each term of a condition. A grant is only
suggested after the engine has confirmed that it would allow the call.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cedarpy

from inward.policy.decide import Engine
from inward.policy.decision import Decision, Reason
from inward.policy.grants import grant_text, new_id
from inward.policy.model import Policies, Policy
from inward.policy.request import BadParameterError, Request, build_context, reads_of
from inward.policy.rules import nearest as nearest_name
from inward.policy.schema import entities_of
from inward.policy.wording import clauses_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from typing import Any

    from inward.catalog.model import Catalog, Operation
    from inward.policy.model import Cell
