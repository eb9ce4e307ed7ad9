"""What Apple's service takes beside a title and a body, whoever hands it on."""

from __future__ import annotations

import time
from typing import Any

from oneiric.adapters.push import Push, seconds_of


def headers_of(push: Push) -> dict[str, str]:
    """How it is delivered. What only the app gets may not be urgent there."""
    is_shown = bool(push.title or push.body)
    ttl = seconds_of(push)
    return {
        "apns-push-type": "alert" if is_shown else "background",
        "apns-priority": "10" if push.urgent and is_shown else "5",
        "apns-expiration": str(int(time.time()) + ttl if ttl else 0),
        **({} if push.collapse is None else {"apns-collapse-id": push.collapse}),
    }


def aps_of(push: Push) -> dict[str, Any]:
    return {"sound": "default"} if push.title or push.body else {"content-available": 1}
