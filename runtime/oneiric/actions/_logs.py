"""Records of actions in the log of the process, without what is secret."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

Level: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error", "critical")
USUAL = ("key", "secrets")
"""Names that are redacted where settings name none, besides those that suggest a secret by themselves."""


def log(level: Level, event: str, facts: Mapping[str, Any]) -> None:
    """An entry by structlog as the process has it set up; on stderr where nobody did, since stdout is for results."""
    import structlog

    own = (
        structlog.get_logger()
        if structlog.is_configured()
        else structlog.wrap_logger(structlog.PrintLogger(sys.stderr))
    )
    getattr(own, level)(event, **facts)
