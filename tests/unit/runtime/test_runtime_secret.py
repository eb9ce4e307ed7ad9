"""A secret's text is seen by nobody who did not ask for it."""

from __future__ import annotations

import copy
import copyreg
import inspect
import io
import json
import logging
import marshal
import pickle
import pprint
import traceback
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from functools import partial
from typing import Any

import pytest
import rich.console
import rich.pretty
import structlog
import yaml
from oneiric import Secret

TEXT = "hunter2"


@dataclass
class Settings:
    password: Secret
    others: list[Secret] = field(default_factory=list)


class Bag:
    def __init__(self, secret: Secret) -> None:
        self.secret = secret


def logged(secret: Secret) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.warning("it is %s, %r", secret, [secret])
    handler.setFormatter(logging.Formatter("%(password)s"))
    logger.warning("", extra={"password": secret})
    return stream.getvalue()


def logged_as_json(secret: Secret) -> str:
    stream = io.StringIO()
    processors: Any = [structlog.processors.JSONRenderer()]
    logger = structlog.wrap_logger(structlog.PrintLogger(stream), processors=processors)
    logger.info("it", password=secret, nested={"x": [secret]})
    return stream.getvalue()


def raised_beside(secret: Secret) -> str:
    try:
        held = Settings(secret)
        raise LookupError(held)
    except LookupError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def printed_richly(secret: Secret) -> str:
    stream = io.StringIO()
    console = rich.console.Console(file=stream, width=200)
    console.print(rich.pretty.Pretty(Settings(secret, [secret])))
    rich.inspect(secret, console=console, all=True, private=True, dunder=True)
    return stream.getvalue()


def every_attribute(value: object) -> list[object]:
    found: list[object] = []
    for name in dir(value):
        try:
            found.append((name, getattr(value, name), inspect.getattr_static(value, name)))
        except AttributeError:
            continue
    return found


def as_anything(value: Any) -> Any:
    return value


def pickled(protocol: int, secret: Secret) -> bytes:
    return pickle.dumps(Bag(secret), protocol)


SHOWS: dict[str, Callable[[Secret], object]] = {
    "str": str,
    "repr": repr,
    "an f-string": lambda secret: f"{secret} {secret!s:>30} {secret!r} {secret:>30} {[secret]}",
    "%": lambda secret: "%s %r" % (secret, (secret,)),  # noqa: UP031
    "format": "{0} {0!r} {0:>30} {0._Secret__text}".format,
    "vars": lambda secret: vars(secret),
    "list": lambda secret: list(as_anything(secret)),
    "getmembers": inspect.getmembers,
    "getmembers_static": inspect.getmembers_static,
    "every attribute": every_attribute,
    "__getstate__": lambda secret: as_anything(secret).__getstate__(),
    "object.__getstate__": lambda secret: object.__getstate__(secret),
    "object.__reduce_ex__": lambda secret: [object.__reduce_ex__(secret, 2)],
    "copyreg": lambda secret: as_anything(copyreg).__reduce_ex__(secret, 1),
    "asdict": lambda secret: asdict(Settings(secret, [secret])),
    "astuple": lambda secret: astuple(Settings(secret, [secret])),
    "fields": lambda secret: [vars(Settings(secret)), fields(Settings(secret))],
    "replace": lambda secret: replace(Settings(secret)),
    "json": lambda secret: json.dumps({"password": secret}),
    "json of str": lambda secret: json.dumps(Settings(secret), default=lambda value: str(value)),
    "json of vars": lambda secret: json.dumps(Bag(secret), default=vars),
    "json of state": lambda secret: json.dumps(Bag(secret), default=lambda value: value.__getstate__()),
    "yaml": lambda secret: yaml.dump({"password": secret}),
    "marshal": lambda secret: marshal.dumps(as_anything(secret)),
    "pprint": lambda secret: pprint.pformat(Settings(secret)),
    "logging": logged,
    "structlog": logged_as_json,
    "a traceback with locals": raised_beside,
    "rich": printed_richly,
    "an exception": lambda secret: repr(ValueError(secret)),
    "copy": lambda secret: [copy.copy(secret), copy.deepcopy({"a": [secret]})],
    **{f"pickle {protocol}": partial(pickled, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
}
REFUSE = {
    "vars", "list", "__getstate__", "object.__reduce_ex__", "copyreg", "json", "json of vars", "json of state",
    "yaml", "marshal",
    *(name for name in SHOWS if name.startswith("pickle")),
}  # fmt: skip
"""What raises rather than give anything."""


@pytest.mark.parametrize("name", SHOWS)
def test_a_secret_is_never_shown(name: str) -> None:
    """Neither in what is given nor in the error, whatever is chained to it."""
    secret = Secret(TEXT)
    try:
        shown = SHOWS[name](secret)
    except (TypeError, ValueError) as error:
        assert name in REFUSE
        shown = traceback.format_exception(error)
    else:
        assert name not in REFUSE
    assert TEXT not in repr(shown)
    assert TEXT not in str(shown)


def test_a_text_that_is_not_hidden_would_be_found() -> None:
    """The same ways show the text of a class that hides nothing."""

    class Open:
        def __init__(self, value: str) -> None:
            self.value = value

        def __repr__(self) -> str:
            return self.value

        __str__ = __repr__

        def __format__(self, spec: str) -> str:
            return self.value

    shows: Any = ("str", "an f-string", "getmembers", "every attribute", "logging", "structlog", "rich", "asdict")
    for name in shows:
        assert TEXT in str(SHOWS[name](as_anything(Open(TEXT))))


def test_a_secret_is_compared_and_revealed() -> None:
    secret = Secret(TEXT)
    assert secret.reveal() == TEXT
    assert (secret == Secret(TEXT), secret == Secret("x"), secret == TEXT) == (True, False, False)
    assert hash(secret) == hash(Secret(TEXT)) != hash(TEXT)
    assert copy.copy(secret) is copy.deepcopy(secret) is secret
