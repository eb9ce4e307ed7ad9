"""Every error of the package survives being pickled and copied: between processes, in queues, in test runners."""

from __future__ import annotations

import copy
import importlib
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import oneiric
import pytest
from oneiric import OneiricError, PayloadError, errors
from oneiric.adapters.embedding import TooLong
from oneiric.adapters.http import HttpStatus, Response
from oneiric.adapters.identity import InvalidToken
from oneiric.adapters.vector import WrongDimension
from oneiric.boundary import PlainError
from oneiric.engines.delivery import HandlerCancelled
from oneiric.flows.model import StepFailed
from oneiric.flows.references import Missing
from oneiric.reload.outcome import Outcome, RolledBack
from oneiric.reload.transaction import Nack
from oneiric.serve.client import NoAnswer

COMPONENT = "adapter", "cache", "redis", "acme"


def made(kind: type[Any]) -> Callable[[], OneiricError]:
    """How the package makes an error of this class."""
    for base, make in CONSTRUCTED.items():
        if kind is base:
            return make
    if issubclass(kind, errors.ActivationError):
        return lambda: kind(*COMPONENT, "start", "start raised OSError")
    if issubclass(kind, errors._ComponentError):
        return lambda: kind(*COMPONENT, "close raised OSError")
    if issubclass(kind, errors.LoadError) and kind is errors.LoadError:
        return lambda: kind("shape", "has no bindings")
    if issubclass(kind, errors.AdapterError) and "__init__" not in vars(kind):
        return lambda: kind("does not answer", provider="redis", setting="url")
    if issubclass(kind, errors.ActionError):
        return lambda: kind(
            "is not a text", key="data.sanitize", provider="builtin", field="data", setting="mask_fields"
        )
    if kind.__module__ == "oneiric.layers":
        return lambda: kind(*LAYERED[kind.__name__])
    return lambda: kind("what went wrong")


LAYERED: dict[str, tuple[Any, ...]] = {
    "LayerError": ("what went wrong",),
    "LayerMisconfigured": ("retry", "delay", "is below zero"),
    "TimedOut": ("adapter:cache", "get", 2.5),
    "BreakerOpen": ("adapter:cache", 2.5),
    "LimitReached": ("adapter:cache", 2.5),
}


def missing_extra() -> OneiricError:
    error = errors.MissingExtra(*COMPONENT, "factory", "needs the module redis")
    error.extra = "cache-redis"
    return error


def drained() -> OneiricError:
    error = errors.DrainExpired(*COMPONENT, "closed with 2 leases still held")
    error.leases = 2
    return error


CONSTRUCTED: dict[type[Any], Callable[[], OneiricError]] = {
    errors.Paused: lambda: errors.Paused("adapter:cache", "maintenance"),
    errors.UnknownProfile: lambda: errors.UnknownProfile("live", ("default", "calm"), "ONEIRIC_PROFILE"),
    errors.UnknownRole: lambda: errors.UnknownRole("wroker", ("web", "worker")),
    errors.UnknownKey: lambda: errors.UnknownKey("adapter:cach", ["adapter:cache", "adapter:queue"]),
    errors.ShutdownError: lambda: errors.ShutdownError("in part", [drained(), ValueError("x"), missing_extra()]),
    errors.ReplacementError: lambda: errors.ReplacementError(["adapter:cache: Fake has no method get"]),
    errors.PreflightError: lambda: errors.PreflightError(["the environment variable X is not set", "the file y"]),
    errors.EngineError: lambda: errors.EngineError("tasks", "stop", "stop raised OSError"),
    errors.MissingExtra: missing_extra,
    errors.DrainExpired: drained,
    HttpStatus: lambda: HttpStatus(Response(404, {"a": "b"}, b"no", "http://localhost/")),  # type: ignore[arg-type]
    RolledBack: lambda: RolledBack("cache is unwell", Outcome(True, "ab12", previous="cd34", rolled_back_to="cd34")),
    errors.RunFailed: lambda: errors.RunFailed(
        "r1", "workflow:fulfil", [{"node": "a", "type": "ValueError", "message": "no", "attempts": 2}]
    ),
    HandlerCancelled: HandlerCancelled,
    InvalidToken: lambda: InvalidToken("expired", provider="oidc"),
    TooLong: lambda: TooLong(3, "512 tokens at most", provider="onnx"),
    WrongDimension: lambda: WrongDimension(3, 4, provider="memory"),
    Missing: lambda: Missing("input.a"),  # type: ignore[dict-item, return-value]
    PayloadError: lambda: PayloadError("task:a", "name", "is missing"),
    PlainError: lambda: PlainError("a[0]", "is nan, which JSON does not have"),
    StepFailed: lambda: StepFailed("a", "ValueError", "no", 2),
    Nack: lambda: Nack("load", "does not import"),
    NoAnswer: lambda: NoAnswer("shop", 12, 2.0, asked=True),
}


def errors_of(kind: type[Any]) -> Iterator[type[Any]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith("oneiric.") and not each.__module__.startswith("oneiric.testing"):
            yield each
        yield from errors_of(each)


APART = "oneiric.adapters.embedding.sentence_transformers"
"""It needs PyTorch, which `dev` does not install; it has no error of its own."""


def everything() -> list[type[Any]]:
    """Every public error class of the package, found by importing all of it."""
    for module in pkgutil.walk_packages(oneiric.__path__, "oneiric."):
        if module.name != APART:
            importlib.import_module(module.name)
    found = dict.fromkeys(errors_of(BaseException))
    return sorted((kind for kind in found if not kind.__name__.startswith("_")), key=lambda kind: kind.__qualname__)


ALL = everything()


def test_all_of_the_package_is_looked_at() -> None:
    assert {OneiricError, *CONSTRUCTED} <= {OneiricError, *ALL}
    assert len(ALL) > 60


def shown(error: BaseException) -> object:
    """All that an error says, and its parts likewise."""
    state = {name: repr(value) for name, value in vars(error).items()}
    parts = [shown(part) for part in error.exceptions] if isinstance(error, BaseExceptionGroup) else []
    return type(error), str(error), [repr(each) for each in error.args], state, parts


def pickled(protocol: int, error: Any) -> Any:
    return pickle.loads(pickle.dumps(error, protocol))


WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {protocol}": partial(pickled, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__qualname__)
def test_an_error_is_the_same_after_any_way_of_copying(kind: type[Any]) -> None:
    error = made(kind)()
    error.add_note("as seen by worker 3")
    for name, way in WAYS.items():
        again = way(error)
        assert shown(again) == shown(error), name
        assert again is not error


def test_an_error_of_a_users_own_is_copied_too() -> None:
    for name, way in WAYS.items():
        again = way(Own(3, why="full"))
        assert (type(again), str(again), again.count, again.why) == (Own, "3 are full", 3, "full"), name


class Own(OneiricError):
    def __init__(self, count: int, *, why: str) -> None:
        self.count, self.why = count, why
        super().__init__(f"{count} are {why}")
