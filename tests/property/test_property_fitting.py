"""Whether a method's arguments fit a port: the compiler, which reads them, and the runtime agree."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from inspect import Parameter, Signature
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from oneiric.fitting import misfits
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.linking import ports
from oneiric_compiler.source.modules import Root, Sources

BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@st.composite
def arguments(draw: st.DrawFn) -> str:
    """What a `def` can have after `self`: three names at most, and what takes any number."""
    names = draw(st.lists(st.sampled_from("abc"), unique=True))
    kinds = sorted(
        draw(
            st.lists(st.sampled_from((*BY_POSITION, Parameter.KEYWORD_ONLY)), min_size=len(names), max_size=len(names))
        )
    )
    found: list[Parameter] = []
    optional = False
    for name, kind in zip(names, kinds, strict=True):
        chosen = draw(st.booleans()) or (optional and kind in BY_POSITION)
        optional = optional or (chosen and kind in BY_POSITION)
        found.append(Parameter(name, kind, default=0 if chosen else Parameter.empty))
    found += [Parameter("args", Parameter.VAR_POSITIONAL)] if draw(st.booleans()) else []
    found += [Parameter("options", Parameter.VAR_KEYWORD)] if draw(st.booleans()) else []
    return written(sorted(found, key=lambda each: each.kind))


def written(parameters: list[Parameter]) -> str:
    by_position_only = any(each.kind is Parameter.POSITIONAL_ONLY for each in parameters)
    kind = Parameter.POSITIONAL_ONLY if by_position_only else Parameter.POSITIONAL_OR_KEYWORD
    return str(Signature([Parameter("self", kind), *parameters]))


@pytest.fixture
def module() -> Iterator[str]:
    name = "parts_of_fitting"
    yield name
    sys.modules.pop(name, None)


REFUSED = {
    "by keyword what it takes by position": ("(self, a, /, *, b)", "(self, b)"),
    "by position what the port has by keyword": ("(self, a, *, b)", "(self, a, b, /)"),
    "by keyword what the port has by position": ("(self, a, b)", "(self, *args, b)"),
    "some of what a port takes any of": ("(self, *args, **options)", "(self, a, *, b=0)"),
    "one more by position": ("(self, a, b, /)", "(self, a, b, c, /)"),
}
TAKEN = {
    "anything": ("(self, a, *, b=0)", "(self, *args, **options)"),
    "more than the port has": ("(self, a, *, b)", "(self, a, c=0, *, b, d=1, **options)"),
    "other names of what is given by position only": ("(self, a, /)", "(self, b, /)"),
}


@pytest.mark.parametrize(("promised", "offered"), REFUSED.values(), ids=REFUSED)
def test_what_a_call_may_fail_on_is_refused_by_both(promised: str, offered: str, module: str) -> None:
    compiled, ran = reasons([(promised, offered)], module)
    assert compiled == ran != [None]


@pytest.mark.parametrize(("promised", "offered"), TAKEN.values(), ids=TAKEN)
def test_what_every_call_fits_is_taken_by_both(promised: str, offered: str, module: str) -> None:
    assert reasons([(promised, offered)], module) == ([None], [None])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(arguments(), arguments()), min_size=1, max_size=20))
@example([*REFUSED.values(), *TAKEN.values()])
def test_the_compiler_and_the_runtime_agree(module: str, methods: list[tuple[str, str]]) -> None:
    compiled, ran = reasons(methods, module)
    assert compiled == ran


def reasons(methods: list[tuple[str, str]], name: str) -> tuple[list[str | None], list[str | None]]:
    """Why each offer does not fit the promise that it is beside, as the compiler says it and as the runtime does."""
    promised = "".join(f"    async def m{index}{each}: ...\n" for index, (each, _) in enumerate(methods))
    offered = "".join(f"    async def m{index}{each}: ...\n" for index, (_, each) in enumerate(methods))
    text = f"from typing import Protocol\n\nclass Port(Protocol):\n{promised}\nclass Made:\n{offered}"
    read = [reason.replace("`", "") for reason in read_by_the_compiler(text, name)]
    loaded: Any = ModuleType(name)
    sys.modules[name] = loaded
    exec(text, vars(loaded))
    given_ = [*misfits(loaded.Port, loaded.Made())]
    return of_each(read, len(methods)), of_each(given_, len(methods))


def read_by_the_compiler(text: str, name: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"{name}.py").write_text(text, "utf-8")
        sources = Sources((Root(Path(folder)),), Diagnostics())
        port, made = sources.find(f"{name}:Port"), sources.find(f"{name}:Made")
        assert port is not None
        assert made is not None
        return [reason for reason, _, _ in ports.misfits(sources, port, made)]


def of_each(reasons: list[str], count: int) -> list[str | None]:
    told = dict(reason.removeprefix("has ").split(", which ", 1) for reason in reasons)
    return [told.get(f"m{index}") for index in range(count)]
