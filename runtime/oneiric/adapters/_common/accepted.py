"""What a service says of a message it took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service took it; not that it arrived. `id`: its name for it, or empty."""

    id: str
