"""Every campaign by its name."""

from __future__ import annotations

from typing import Any

from tests.attacks.campaign import Campaign
from tests.attacks.canaries import Canaries
from tests.attacks.documents import Documents
from tests.attacks.fuzz import Settings, Sources
from tests.attacks.hostile import Hostile
from tests.attacks.precedence import Precedence
from tests.attacks.processes import Processes
from tests.attacks.state_files import StateFiles

CAMPAIGNS: dict[str, type[Campaign[Any]]] = {
    each.name: each for each in (Settings, Sources, Precedence, Documents, StateFiles, Canaries, Hostile, Processes)
}
