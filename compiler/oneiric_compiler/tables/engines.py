"""What drives the components of a domain beside the calls of the application: see `oneiric.lifecycle.engines`."""

from __future__ import annotations

from collections.abc import Mapping

ENGINES: Mapping[str, str] = {
    "event": "oneiric.engines.events:Events",
    "task": "oneiric.engines.schedules:Schedules",
    "workflow": "oneiric.engines.workflows:Workflows",
}
"""By domain, `module:Class` in the package `oneiric.engines`. A wiring names those of the domains it has keys of."""
DRIVEN: Mapping[str, tuple[str, ...]] = {
    "event": ("topics", "subscriptions", "imports"),
    "task": ("schedules",),
    "workflow": ("workflows",),
}
"""The domains whose engine has something to do only where the settings declare some of this, keys or not."""
