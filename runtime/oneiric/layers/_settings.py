"""Settings of layers as the layers go by them: variables give values at activation that the compiler has not seen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta

from oneiric.layers import LayerMisconfigured
from oneiric.references import load


def exceptions(layer: str, names: Sequence[str], port: type) -> tuple[type[Exception], ...]:
    """The classes that the setting `errors` names, as the compiler reads them: `module:Class`, or the bare name of one
    of Python's own, of one beside the port or in its package, or of the bases that the errors of all ports have.
    Raises `LayerMisconfigured`."""
    if not names:
        raise LayerMisconfigured(layer, "errors", "names no error")
    return tuple(_exception(layer, name, port) for name in names)


def _exception(layer: str, name: str, port: type) -> type[Exception]:
    try:
        found = load(name if ":" in name else f"{_module(name, port)}:{name}")
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise LayerMisconfigured(layer, "errors", f"{name!r} cannot be loaded: {error}") from error
    if not isinstance(found, type) or not issubclass(found, BaseException):
        raise LayerMisconfigured(layer, "errors", f"{name!r} is not a class of exceptions")
    if not issubclass(found, Exception):
        # a cancellation, an exit and an interrupt say nothing of the component, and have to get through
        raise LayerMisconfigured(
            layer, "errors", f"{name!r} is not an Exception: what ends a program or a task is none"
        )
    return found


_BUILTIN = ("TimeoutError", "ConnectionError", "OSError", "LookupError", "ValueError", "RuntimeError", "Exception")


def _module(name: str, port: type) -> str:
    """Where a bare name is looked up: the port's module where nothing else has it."""
    if name in _BUILTIN:
        return "builtins"
    near = (port.__module__, port.__module__.rpartition(".")[0], "oneiric.errors")
    return next((each for each in near if hasattr(sys.modules.get(each), name)), port.__module__)


def seconds(layer: str, setting: str, value: timedelta, *, zero: bool = False) -> float:
    """A duration in seconds, above zero or, with `zero`, not below it. Raises `LayerMisconfigured`."""
    length = value.total_seconds()
    if length < 0 or (not length and not zero):
        raise LayerMisconfigured(layer, setting, f"a duration {'not below' if zero else 'above'} zero is expected")
    return length


def at_least_one(layer: str, setting: str, value: int) -> int:
    """A number of 1 and more. Raises `LayerMisconfigured`."""
    if value < 1:
        raise LayerMisconfigured(layer, setting, f"a number of at least 1 is expected, not {value}")
    return value
