"""Reading a port: its methods, and how long the result of each lasts."""

from __future__ import annotations

import collections.abc as abc
import contextlib
import enum
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, NamedTuple

from oneiric.errors import PortError


class Method(NamedTuple):
    """One method of a port. `result`: over (of an awaited call, where its annotation can be believed), unknown,
    iterable, or, made when first used, iterate or enter. `is_plain` is it unless a decorator made it."""

    name: str
    function: Callable[..., Any]
    signature: inspect.Signature
    is_async: bool
    result: str
    is_plain: bool


_ITERATED = (abc.AsyncIterator, abc.AsyncIterable, abc.AsyncGenerator)
_ITERABLE = (abc.Iterator, abc.Iterable, abc.Generator)
_AWAITED = (abc.Awaitable, abc.Coroutine)
_BY_NAME = {
    **{kind.__name__: kind for kind in (*_ITERATED, *_ITERABLE, *_AWAITED)},
    "AsyncContextManager": contextlib.AbstractAsyncContextManager,
    "AbstractAsyncContextManager": contextlib.AbstractAsyncContextManager,
}
_PLAIN: tuple[type, ...] = (
    str, bytes, bytearray, int, float, complex, type(None), list, tuple, dict, set, frozenset, enum.Enum,
    abc.Mapping, abc.Sequence, abc.Set, type,
)  # fmt: skip
_NEVER = frozenset({
    "__init__", "__new__", "__del__", "__init_subclass__", "__subclasshook__", "__class_getitem__",
    "__getattribute__", "__getattr__", "__setattr__", "__delattr__", "__reduce__", "__reduce_ex__",
    "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__", "__copy__", "__deepcopy__",
    "__annotate__", "__annotate_func__"
})  # fmt: skip
_NOT_OF_A_CLASS = frozenset({
    "start", "close", "aclose", "__enter__", "__exit__", "__aenter__", "__aexit__", "__repr__",
    "__str__", "__format__", "__eq__", "__hash__", "__post_init__", "__replace__"
})  # fmt: skip
_MACHINERY = frozenset({"_is_protocol", "_is_runtime_protocol", "_abc_impl"})
_NO_METHODS = (type, property, classmethod, staticmethod)
_ENTERED = contextlib.asynccontextmanager(lambda: None).__code__  # type: ignore[arg-type, return-value]
"""The code of every function that `asynccontextmanager` returns."""


def methods_of(port: type) -> tuple[list[Method], dict[str, str]]:
    """A port's methods, and of a class that is its own port the members `live` refuses, with what they are.

    A Protocol with such a member raises `PortError`. Of a class, lifecycle methods and private names are out.
    """
    is_protocol = getattr(port, "_is_protocol", False)
    methods: list[Method] = []
    refused: dict[str, str] = {}
    for name, (owner, member) in _members(port, is_protocol).items():
        if _is_method(member):
            methods.append(_method(port, owner, name, member))
        elif is_protocol:
            raise PortError(f"{port.__qualname__}.{name} is {_kind(member)}: a port has methods only")
        else:
            refused[name] = _kind(member)
    return methods, refused


def _members(port: type, is_protocol: bool) -> dict[str, tuple[type, Any]]:
    found: dict[str, tuple[type, Any]] = {}
    for owner in reversed(port.__mro__):
        if owner is object or owner.__module__ == "typing":
            continue
        names = dict(vars(owner))
        if is_protocol:
            names = {**dict.fromkeys(inspect.get_annotations(owner)), **names}
        for name, member in names.items():
            if _offered(name, member, is_protocol):
                found[name] = owner, member
    return found


def _offered(name: str, member: Any, is_protocol: bool) -> bool:
    special = name.startswith("__") and name.endswith("__")
    if name in _NEVER or name in _MACHINERY or (special and not _is_method(member)):
        return False
    if is_protocol:
        return True
    return name not in _NOT_OF_A_CLASS and (special or not name.startswith("_"))


def _is_method(member: object) -> bool:
    """Whether it is a function, or what a decorator made of one: callable, and bound to an instance when read."""
    return callable(member) and hasattr(type(member), "__get__") and not isinstance(member, _NO_METHODS)


def _kind(member: object) -> str:
    if isinstance(member, property):
        return "a property"
    kind = type(member).__name__
    return f"a {kind}" if kind in ("classmethod", "staticmethod") else "an attribute"


def _method(port: type, owner: type, name: str, member: Any) -> Method:
    original: Any = types.SimpleNamespace(__module__=owner.__module__, __qualname__=f"{owner.__qualname__}.{name}")
    overloads = typing.get_overloads(original)
    if overloads and getattr(member, "__name__", None) != name:
        return _overloaded(port, owner, name, overloads)
    signature = ANY_ARGUMENTS if _is_decorated(member) else inspect.signature(member)
    first = next(iter(signature.parameters.values()), None)
    if first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD):
        raise PortError(f"{port.__qualname__}.{name} has no self")
    if first.kind is first.VAR_POSITIONAL:
        signature = ANY_ARGUMENTS
    return Method(name, member, signature, *_duration(owner, member), not _is_decorated(member))


def _is_decorated(member: Any) -> bool:
    """Whether it shows the name and annotations of another function: that beneath a decorator."""
    if not isinstance(member, types.FunctionType) or hasattr(member, "__wrapped__"):
        return True
    return member.__name__ != member.__code__.co_name


def _any_arguments(self: Any, /, *args: Any, **kwargs: Any) -> Any: ...


ANY_ARGUMENTS = inspect.signature(_any_arguments)
"""That of methods whose own is not known."""


def _overloaded(port: type, owner: type, name: str, overloads: abc.Sequence[Callable[..., Any]]) -> Method:
    """Overloads without an implementation: any arguments, and one duration for all."""
    durations = {_duration(owner, function) for function in overloads}
    if len({is_async or result in ("iterate", "enter") for is_async, result in durations}) > 1:
        raise PortError(f"{port.__qualname__}.{name} has both synchronous and asynchronous overloads")
    is_async, result = durations.pop()
    if durations and result in ("iterate", "enter"):
        raise PortError(f"{port.__qualname__}.{name} has overloads that give different things")
    return Method(name, overloads[0], ANY_ARGUMENTS, is_async, "unknown" if durations else result, is_plain=True)


def awaited(member: Any) -> bool | None:
    """Whether calls of what an instance offers are awaited; None where only a call would tell."""
    function = getattr(member, "__func__", member)
    if _is_decorated(function):
        return inspect.iscoroutinefunction(member) or None
    owner: Any = getattr(member, "__self__", None)
    return _duration(owner.__class__, function)[0]


def _decorated_duration(member: Any) -> tuple[bool, str]:
    """The same of what a decorator returned. Annotations and arguments that it shows are those of the function
    beneath, which say nothing of what a call gives."""
    if inspect.isasyncgenfunction(member):
        return False, "iterate"
    if getattr(member, "__code__", None) is _ENTERED:
        return False, "enter"
    return inspect.iscoroutinefunction(member), "unknown"


def _duration(owner: type, function: Any) -> tuple[bool, str]:
    """Whether a call is awaited, and how long its result lasts."""
    if _is_decorated(function):
        return _decorated_duration(function)
    if inspect.isasyncgenfunction(function):
        return False, "iterate"
    if function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE:
        return True, "unknown"
    annotation = _result_annotation(owner, function)
    if inspect.iscoroutinefunction(function):
        return True, "over" if _is_over(annotation) else "unknown"
    origin = typing.get_origin(annotation) or annotation
    if origin in _ITERATED:
        return False, "iterate"
    if origin is contextlib.AbstractAsyncContextManager:
        return False, "enter"
    if origin in _AWAITED:
        return True, "over" if _is_over((typing.get_args(annotation) or (None,))[-1]) else "unknown"
    return False, "iterable" if origin in _ITERABLE else "unknown"


def _result_annotation(owner: type, function: types.FunctionType) -> Any:
    """The return annotation; where a text cannot be evaluated, the known kind its name stands for, or Any."""
    annotation = function.__annotations__.get("return", Any)
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, function.__globals__, dict(vars(owner)))
    except Exception:
        head = annotation.partition("[")[0].rpartition(".")[2].strip()
        return _BY_NAME.get(head, Any)


def _is_over(annotation: Any) -> bool:
    """Whether a result so annotated can only be plain data."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return all(map(_is_over, typing.get_args(annotation)))
    if origin is typing.Annotated:
        return _is_over(typing.get_args(annotation)[0])
    if annotation is None or origin is typing.Literal or annotation in (typing.NoReturn, typing.Never):
        return True
    kind = annotation if origin is None else origin
    return isinstance(kind, type) and any(plain in kind.__mro__ for plain in _PLAIN)
