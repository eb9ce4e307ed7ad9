"""Every campaign by its name."""

from __future__ import annotations

from typing import Any

from tests.attacks.campaign import Campaign
from tests.attacks.fuzz import Settings, Sources

CAMPAIGNS: dict[str, type[Campaign[Any]]] = {each.name: each for each in (Settings, Sources)}
