"""What a service says of a message it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service took it; not that it arrived. `refused`: recipients it did not take, with its reason."""

    id: str
    refused: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
