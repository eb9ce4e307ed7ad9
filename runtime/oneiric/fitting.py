"""Whether an instance offers what a port promises: names, arguments, sync or async; types are the type checker's.

The compiler asks the same of a class, from its source, and of arguments by the same function. What a decorator or a
mock made says less of itself, and is believed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from inspect import Parameter
from typing import Any

from oneiric.errors import ReplacementError
from oneiric.port import ANY_ARGUMENTS, Method, awaited, methods_of
from oneiric.references import load


class Bare:
    """An instance that takes the place of a key and of its layers: `replace={"adapter:http": Bare(fake)}`."""

    __slots__ = ("instance",)

    def __init__(self, instance: object) -> None:
        self.instance = instance


def check_replacements(replacements: Iterable[tuple[str, str | None, object]]) -> None:
    """Hold each instance, given as key, port and instance, against the key's port.

    A key without a port promises nothing. A port whose module cannot be imported is not asked: `live` says so. Raises
    `ReplacementError`, which names all that does not fit, and `PortError`.
    """
    mistakes: list[str] = []
    for key, port, instance in replacements:
        kind = instance if isinstance(instance, type) else type(instance)
        reasons = [] if port is None else list(_reasons(port, instance))
        if reasons and kind is instance:
            mistakes.append(f"{key}: {kind.__name__} is a class, and an instance is wanted")
        else:
            mistakes += [f"{key}: {kind.__name__} {reason} (port {port})" for reason in reasons]
    if mistakes:
        raise ReplacementError(mistakes)


def _reasons(port: str, instance: object) -> Iterator[str]:
    try:
        promised = load(port)
    except (ImportError, AttributeError):
        return
    if isinstance(promised, type):
        yield from misfits(promised, instance)


_NOTHING = object()


def misfits(port: type, instance: object) -> Iterator[str]:
    """Why an instance cannot serve a port; none when it can. Raises `PortError`."""
    for method in methods_of(port)[0]:
        offered: Any = getattr(instance, method.name, _NOTHING)
        if offered is _NOTHING:
            yield f"has no method {method.name}"
        elif isinstance(offered, type):
            yield f"has a class {method.name} where the port has a method"
        elif not callable(offered):
            yield f"has {method.name}, which is not a method"
        elif reason := _mismatch(method, offered):
            yield f"has {method.name}, which {reason}"


def _mismatch(method: Method, offered: Any) -> str | None:
    wanted = method.is_async if method.is_plain else method.is_async or None
    is_async = awaited(offered)
    if wanted and is_async is False:
        return "is not async, and the port's is"
    if wanted is False and is_async:
        return "is async, and the port's is not"
    if method.signature is ANY_ARGUMENTS:
        return None
    try:
        signature = inspect.signature(offered, follow_wrapped=False)
    except (TypeError, ValueError):
        return None
    _, *promised = method.signature.parameters.values()
    return arguments_mismatch(promised, [*signature.parameters.values()])


_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def arguments_mismatch(promised: list[Parameter], has: list[Parameter], quote: str = "") -> str | None:
    """Why a call that the promise allows may fail on the offer, which `has` these parameters; with `quote` around
    their names."""
    kinds = {each.kind for each in has}
    positions = [each for each in has if each.kind in _BY_POSITION]
    counterparts = [each for each in promised if each.kind in _BY_POSITION]
    for parameter, counterpart in zip(counterparts, positions, strict=False):
        named = parameter.kind is Parameter.POSITIONAL_OR_KEYWORD and counterpart.name != parameter.name
        if named and (counterpart.kind is not Parameter.POSITIONAL_ONLY or Parameter.VAR_KEYWORD not in kinds):
            found, said = (f"{quote}{each.name}{quote}" for each in (counterpart, parameter))
            return f"calls its parameter {found} where the port says {said}"
    if len(counterparts) > len(positions) and Parameter.VAR_POSITIONAL not in kinds:
        return f"takes no {quote}{counterparts[len(positions)].name}{quote} by position"
    taken = {each.name for each in positions[: len(counterparts)] if each.kind is not Parameter.POSITIONAL_ONLY}
    by_keyword = {each.name for each in has if each.kind is not Parameter.POSITIONAL_ONLY} - taken
    for parameter in promised:
        if parameter.kind is Parameter.KEYWORD_ONLY:
            if parameter.name in taken or (parameter.name not in by_keyword and Parameter.VAR_KEYWORD not in kinds):
                return f"takes no {quote}{parameter.name}{quote} by keyword"
        elif parameter.kind not in (*_BY_POSITION, *kinds):
            return f"takes no {quote}{parameter.replace(annotation=Parameter.empty)}{quote}"
    return _requires_more(promised, has, positions, quote)


def _requires_more(
    promised: list[Parameter], has: list[Parameter], positions: list[Parameter], quote: str
) -> str | None:
    """Why a call that leaves out what the port leaves out may fail on the offer."""
    by_keyword = {each.name: each for each in promised if each.kind is Parameter.KEYWORD_ONLY}
    counterparts = [each for each in promised if each.kind in _BY_POSITION]
    for parameter in filter(_is_required, has):
        index = positions.index(parameter) if parameter in positions else len(counterparts)
        counterpart = counterparts[index] if index < len(counterparts) else None
        name = f"{quote}{parameter.name}{quote}"
        if counterpart is None and parameter.kind is Parameter.POSITIONAL_ONLY:
            return f"requires {name} by position, which the port does not have"
        counterpart = counterpart or by_keyword.get(parameter.name)
        if counterpart is None:
            by_name = " by keyword" if parameter.name in {each.name for each in counterparts} else ""
            return f"requires {name}{by_name}, which the port does not have"
        if not _is_required(counterpart):
            return f"requires {name}, which the port leaves optional"
    return None


def _is_required(parameter: Parameter) -> bool:
    open_ended = parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return not open_ended and parameter.default is Parameter.empty
