"""The layers that come with this project: each fits every key whose port has async methods."""

from __future__ import annotations

NAMES = ("breaker", "cached", "fallback", "limit", "retry", "timeout", "traced")
INNER = "inner"
"""The parameter of every layer that takes what it wraps."""
ERRORS = "errors"
"""The setting of a built-in layer that names exceptions."""
METHODS = "methods"
"""The setting of a built-in layer that names methods of the port."""
KEYS = {"fallback": ("to",)}
"""The settings of a layer that name another key, which it is handed."""


def factory(name: str) -> str:
    """`module:function` of the layer."""
    return f"oneiric.layers.{name}:{name}"
