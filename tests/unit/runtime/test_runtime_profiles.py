"""Which profile's wiring a program runs: named by it, by the environment, or the default."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from oneiric import Runtime, UnknownProfile, Wiring
from oneiric.profiles import chosen

from generated.choose import Offered, choose


class Base(Wiring, app="shop"):
    pass


class Busy(Wiring, app="shop", profile="busy"):
    pass


PROFILES: dict[str, Callable[[], type[Wiring]]] = {"default": lambda: Base, "busy": lambda: Busy}


@pytest.mark.parametrize(
    ("asked", "variable", "found"),
    [
        (None, None, Base),
        (None, "busy", Busy),
        (None, "default", Base),
        ("busy", None, Busy),
        ("default", "busy", Base),
        ("busy", "nonsense", Busy),
    ],
)
def test_what_is_chosen(
    asked: str | None, variable: str | None, found: type[Wiring], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONEIRIC_PROFILE", raising=False)
    if variable is not None:
        monkeypatch.setenv("ONEIRIC_PROFILE", variable)
    assert chosen(PROFILES, asked) is found


@pytest.mark.parametrize("name", ["", "bsuy", " busy", "Busy", "../default"])
def test_a_profile_that_is_not_listed_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownProfile, match=r"^there is no profile '.*'; there are default, busy$") as raised:
        chosen(PROFILES, name)
    assert (raised.value.profile, raised.value.profiles, raised.value.variable) == (name, ("default", "busy"), None)
    monkeypatch.setenv("ONEIRIC_PROFILE", name)
    with pytest.raises(UnknownProfile, match=r"^ONEIRIC_PROFILE: there is no profile"):
        chosen(PROFILES, None)


def test_one_program_runs_the_profile_that_it_is_started_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEIRIC_PROFILE", raising=False)
    assert issubclass(choose(), Offered)
    assert (choose().__profile__, choose("production").__profile__) == ("default", "production")

    async def program() -> bytes | None:
        async with Runtime(choose()) as runtime:
            cache = runtime.wiring.adapters.cache.live
            await cache.set("k", b"v")
            return await cache.get("k")

    assert asyncio.run(program()) == b"v"


def test_only_the_chosen_wiring_is_imported() -> None:
    program = "import sys; from generated.choose import choose; choose(); print(*sys.modules)"
    environ = {**os.environ, "ONEIRIC_PROFILE": "production"}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "generated.production.wiring" in imported
    assert not imported & {"generated.wiring", "typing", "asyncio", "importlib.metadata"}
