"""What an application would lack in this environment, all at once: what it starts with, and what is asked for later."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from oneiric.errors import OneiricError, PreflightError
from oneiric.host import Host
from oneiric.lifecycle.activation import cancel, eager, needed, words
from oneiric.lifecycle.steps import Failed, bounded, contained, in_thread
from oneiric.preflight.missing import Missing, Want, gathered
from oneiric.preflight.reads import Facts, bindings_of, tenants_of
from oneiric.preflight.trial import Trial
from oneiric.report import ReportError, read_report
from oneiric.secret import SECRETS, Secret
from oneiric.slot import Slot, stack_of
from oneiric.wiring import Binding, Wiring, artifacts_beside, domains_of, file_of

_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Preflight:
    """`missing` is what the keys that start, and what they need, want and cannot have; `later` what all other keys
    would, and those of tenants; `unasked` counts secrets that nobody could be asked for, or not in time."""

    missing: tuple[Missing, ...]
    later: tuple[Missing, ...]
    unasked: int

    def check(self) -> None:
        """Raises `PreflightError` where anything is missing."""
        if self.missing:
            raise PreflightError(each.told() for each in self.missing)


@dataclass(frozen=True, slots=True)
class _Tried:
    """What was tried without starting anything; the secrets to ask of the base's secrets component; those of tenants
    that have a secrets component of their own, which is not started."""

    missing: list[Missing]
    asked: list[tuple[str, Want]]
    apart: list[tuple[str, Want]]


async def preflight(host: Host, *, every: bool = False) -> Preflight:
    """Try what the application needs of its environment. `adapter:secrets` is started for it, nothing else.

    With `every` no key is one for later, and no secret is left out because it takes long. The application runs.
    """
    trial = Trial(os.environ if host.environ is None else host.environ)
    slots = host.base.slots()
    starting = _closure(eager(slots.values()))
    replaced = host.replaced | {key for key in slots if stack_of(key) in host.bare}
    tried: _Tried = (await in_thread(_try_all, host.wiring_class, trial, replaced)).get()

    def is_now(want: Want) -> bool:
        return every or (want.tenant is None and want.key in starting)

    found, unasked = list(tried.missing), len(tried.apart)
    if tried.asked:
        answered, left = await _ask_all(host, tried, is_now, every=every)
        found += answered
        unasked += left
    now = gathered(_of(found, is_now))
    known = {(each.kind, each.name, each.reason) for each in now}
    later = gathered(_of(found, lambda want: not is_now(want)))
    return Preflight(now, tuple(each for each in later if (each.kind, each.name, each.reason) not in known), unasked)


def unstarted(wiring: type[Wiring]) -> Preflight:
    """The same of every key of a wiring that no application can be made of, as it has no artifacts. No secret is asked
    for."""
    tried = _try_all(wiring, Trial(os.environ, artifacts_beside(wiring)))
    return Preflight(gathered(tried.missing), (), len({name for name, _ in (*tried.asked, *tried.apart)}))


def _of(found: Iterable[Missing], wanted: Callable[[Want], bool]) -> Iterator[Missing]:
    """What is missing to some of those who want it."""
    for each in found:
        if some := tuple(filter(wanted, each.wanted)):
            yield replace(each, wanted=some)


def _closure(slots: Iterable[Slot[Any]]) -> set[str]:
    """The keys of these slots, and those that they need to be activated. A replacement needs nothing."""
    found: set[str] = set()
    waiting = list(slots)
    while waiting:
        slot = waiting.pop()
        if slot.key in found:
            continue
        found.add(slot.key)
        if slot.held is None or slot.held.owned:
            waiting += needed(slot)
    return found


def _try_all(wiring: type[Wiring], trial: Trial, replaced: Container[str] = ()) -> _Tried:
    """Try everything but secrets. Reads files."""
    report = _report_beside(wiring)
    tried = _Tried([], [], [])
    apart = tenants_of(report.get(SECRETS, {}))
    bound = {each.key: each for _, _, bindings in domains_of(wiring) for each in bindings.values()}
    for key, facts in ((key, report.get(key, {})) for key in {**bound, **report} if key not in replaced):
        binding = bound.get(key)
        if binding is not None and not _is_of(facts, binding):
            tried.asked.extend((name, Want(key)) for name in binding.secrets)
            continue
        if binding is not None:
            tried.missing.extend(trial.lacking(key, facts))
            tried.asked.extend(trial.secrets(key, facts))
        for tenant, own in tenants_of(facts).items():
            tried.missing.extend(trial.lacking(key, own, tenant))
            (tried.apart if tenant in apart else tried.asked).extend(trial.secrets(key, own, tenant))
    return tried


def _report_beside(wiring: type[Wiring]) -> dict[str, Facts]:
    """What the report beside a wiring says of its keys; nothing where there is none to read."""
    path = file_of(wiring)
    try:
        return {} if path is None else bindings_of(read_report(Path(path).with_name("explain.json")))
    except ReportError:
        return {}


def _is_of(facts: Facts, binding: Binding) -> bool:
    """Whether facts are of the binding, and not of another generation's."""
    return (facts.get("fingerprint"), facts.get("provider")) == (binding.fingerprint, binding.provider)


async def _ask_all(
    host: Host, tried: _Tried, is_now: Callable[[Want], bool], *, every: bool
) -> tuple[list[Missing], int]:
    """The secrets that are missing, and how many were not asked."""
    wanted: dict[str, list[Want]] = {}
    for name, want in tried.asked:
        wanted.setdefault(name, []).append(want)
    slot = host.base.slots().get(SECRETS)
    if slot is None or _lacks(tried.missing, _closure([slot.home])):
        return [], len(wanted)
    names = sorted(wanted, key=lambda name: not any(map(is_now, wanted[name])))
    first = sum(any(map(is_now, wants)) for wants in wanted.values())
    try:
        async with slot.lease() as store:
            reasons = await _ask(store, names, len(names) if every else first, host.deadlines.secrets)
    except OneiricError as error:
        wants = tuple(want for _, want in tried.asked)
        return [Missing("component", SECRETS, f"cannot be asked: {error}", wants)], len(wanted)
    missing = [Missing("secret", name, reason, tuple(wanted[name])) for name, reason in reasons.items() if reason]
    return missing, len(wanted) - len(reasons)


def _lacks(missing: Iterable[Missing], keys: set[str]) -> bool:
    """Whether anything is missing to one of these keys, so that it need not be tried."""
    return any(want.key in keys and want.tenant is None for each in missing for want in each.wanted)


async def _ask(store: Any, names: list[str], first: int, seconds: float) -> dict[str, str | None]:
    """Ask for secrets; why each cannot be had, None where it can. The `first` are all waited for, each as long as an
    activation would, those after them together no longer than that."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(name: str) -> str | None:
        async with turns:
            return await _reason(store, name, seconds)

    tasks = {name: asyncio.ensure_future(ask(name)) for name in names}
    try:
        for count, within in ((first, None), (len(names), seconds)):
            if waiting := [tasks[name] for name in names[:count]]:
                await asyncio.wait(waiting, timeout=within)
        return {name: task.result() for name, task in tasks.items() if task.done()}
    finally:
        await cancel(tasks.values())


async def _reason(store: Any, name: str, seconds: float) -> str | None:
    """Why a secret cannot be had. The secret itself is not kept."""

    async def get() -> Any:
        return await store.get(name)

    try:
        secret = await bounded(asyncio.ensure_future(contained(get())), seconds)
    except OneiricError as error:
        return f"cannot be had: {words(error)}"
    except Failed as error:
        return f"cannot be had: {SECRETS} {error}"
    except Exception as error:
        return f"cannot be had: {SECRETS} raised {type(error).__name__}"
    return None if isinstance(secret, Secret) else f"is a {type(secret).__name__} of {SECRETS}, not a Secret"
