"""Components that count, and the wirings of reload tests: nothing leaked, closed twice or orphaned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

from oneiric import Deadlines, Runtime
from oneiric.runtime import host_of
from oneiric.wiring import Domain, Wiring, bind

PATIENT = Deadlines(drain=0.3)
SHORT = Deadlines(secrets=0.2, factory=0.2, start=0.2, health=0.2, close=0.2, drain=0.3, hook=0.2, compile=10)


class Pinging(Protocol):
    async def ping(self) -> str: ...


class Counted:
    """Notes itself in `ledger`; fails at `fault` as `how` says. Falsy, like an empty collection."""

    def __init__(self, ledger: list[Counted], name: str, fault: str = "", how: str = "") -> None:
        ledger.append(self)
        self.name, self.fault, self.how = name, fault, how
        self.closes = self.served = 0

    def __len__(self) -> int:
        return 0

    async def ping(self) -> str:
        assert not self.closes, f"{self.name} was called after its close"
        await asyncio.sleep(0)
        assert not self.closes, f"{self.name} was closed during a call"
        self.served += 1
        return self.name

    async def start(self) -> None:
        await asyncio.sleep(0)
        await fail(self, "start")

    async def health(self) -> bool:
        await asyncio.sleep(0)
        await fail(self, "health")
        return not (self.fault == "health" and self.how == "false")

    async def aclose(self) -> None:
        self.closes += 1
        await asyncio.sleep(0)
        await fail(self, "close")


async def fail(part: Counted, step: str) -> None:
    if part.fault != step:
        return
    if part.how == "hang":
        await asyncio.sleep(60)
    if part.how == "raise":
        raise OSError("pw=hunter2")
    if part.how == "block":
        time.sleep(0.4)


def part(fingerprint: str, fault: str = "", how: str = "", **options: Any) -> tuple[str, str, str, dict[str, Any]]:
    """One key of `app`: its fingerprint, which is its provider's name too, and how it fails."""
    return fingerprint, fault, how, options


def app(ledger: list[Counted], app: str = "test", /, **keys: tuple[str, str, str, dict[str, Any]]) -> type[Any]:
    """A wiring with one domain, `adapters`, of counted components."""
    bindings: dict[str, Any] = {}
    for attribute, (fingerprint, fault, how, options) in keys.items():
        port = f"{__name__}:Pinging"
        made = bind(f"adapter:{attribute}", fingerprint, provider=fingerprint, port=port, **options)
        bindings[attribute] = made(_block(ledger, f"{attribute}/{fingerprint}", fault, how))
    domain: Any = type("Adapters", (Domain,), bindings)

    class App(Wiring, app=app):
        pass

    App.domains(adapters=domain)
    return App


def _block(ledger: list[Counted], name: str, fault: str, how: str) -> Callable[[Any], Any]:
    def make(_: Any) -> Counted:
        if fault == "factory":
            if how == "raise":
                raise OSError("pw=hunter2")
            time.sleep({"late": 0.3, "hang": 0.6}[how])
        return Counted(ledger, name, fault, how)

    async def make_on_the_loop(_: Any) -> Counted:
        time.sleep(0.3)
        return Counted(ledger, name)

    return make_on_the_loop if how == "block" and fault == "factory" else make


def settled(runtime: Runtime[Any], ledger: list[Counted]) -> None:
    """Nothing is open that no slot has; nothing a slot has is closed."""
    held = {id(held.instance) for held in host_of(runtime).active.values()}
    assert {id(each) for each in ledger if not each.closes} == held, [(each.name, each.closes) for each in ledger]
    assert max((each.closes for each in ledger), default=0) <= 1


def closed_once(ledger: list[Counted]) -> None:
    """After the end: everything that was made was closed, once."""
    assert [(each.name, each.closes) for each in ledger] == [(each.name, 1) for each in ledger]


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that will come about."""
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)
