"""How the real transports reach the sandbox's servers on loopback."""

from __future__ import annotations

import hmac
from hashlib import sha256

from outreach.settings import Settings


def sandbox_credentials(settings: Settings) -> tuple[str, str]:
    """(account SID, token) that the sandbox's fax provider and its client both derive from the service's key."""
    sid, token = (hmac.new(settings.key(), f"sandbox {part}".encode(), sha256).hexdigest()[:32] for part in ("sid", "token"))
    return f"AC{sid}", token
