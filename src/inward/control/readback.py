"""What a running system really does, read back from it: who supervises it, and what each Envoy enforces.

Nothing here needs the control process: the Envoys' admin sockets answer without it.
"""

from __future__ import annotations

from inward.envoy.folder import VERSION_STATS

_ROUTES = VERSION_STATS["routes.json"]
