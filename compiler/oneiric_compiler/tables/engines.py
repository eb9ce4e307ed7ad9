"""What drives the components of a domain beside the calls of the application: see `oneiric.lifecycle.engines`."""

from __future__ import annotations

from collections.abc import Mapping

ENGINES: Mapping[str, str] = {}
"""By domain, `module:Class` in the package `oneiric.engines`. A wiring names those of the domains it has keys of."""
