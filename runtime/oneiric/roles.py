"""Roles: which of an application's processes starts what. A role names keys and patterns of keys (`task:*`)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from oneiric.wiring import Wiring


def named_by(patterns: Collection[str], key: str) -> bool:
    """Whether a role names the key."""
    return any(key == each or (each.endswith("*") and key.startswith(each[:-1])) for each in patterns)


def starts(wiring: type[Wiring], role: str, keys: Collection[str]) -> bool:
    """Whether what these keys are of starts in a process of the role: where it names one of them, or no role does."""
    roles = wiring.__roles__
    if any(named_by(roles.get(role, ()), key) for key in keys):
        return True
    return not any(named_by(patterns, key) for patterns in roles.values() for key in keys)
