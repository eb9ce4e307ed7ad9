"""The components that come with this project: candidates of every project, though it says nothing of them."""

from __future__ import annotations

ROOTS = ("oneiric.adapters", "oneiric.actions", "oneiric.layers")
"""The packages that declare them, as far as they are there."""
DECLARING = b"@component("
"""What every module of theirs that declares one has in it: half of their text need not be parsed."""
SOURCE = "builtin"
DEFAULT_LEVEL = -10
"""The stack level of the one that serves its key where nothing is said: embedded, with nothing to set up."""
ALWAYS_BOUND = frozenset(("cache", "database", "http", "queue", "secrets", "storage"))
"""The keys of adapters that every project has; any other built-in key is bound when it is selected or needed."""


def is_builtin(module: str) -> bool:
    """Whether a module, or the module of `module:name`, is one of theirs."""
    return f"{module.partition(':')[0]}.".startswith(tuple(f"{root}." for root in ROOTS))
