"""A rotation: secrets are fetched anew, and every instance that was made with another one than there is now is made
again, beside the old one, as a reload does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from difflib import get_close_matches
from typing import Any

from oneiric.errors import ActivationError, OneiricError
from oneiric.host import Host
from oneiric.lifecycle.activation import cancel, fetch, words
from oneiric.lifecycle.marks import mark_of
from oneiric.lifecycle.steps import Failed, bounded, contained, in_thread
from oneiric.lines import Lines
from oneiric.reload.hooks import Hooks
from oneiric.reload.outcome import Nack
from oneiric.reload.planning import Prepared
from oneiric.reload.transaction import Ready, warmed
from oneiric.secret import PREFIX, SECRETS
from oneiric.slot import Held, Slot

_AT_ONCE = 32


async def rotated(host: Host, hooks: Hooks, names: tuple[str, ...]) -> tuple[Ready | None, tuple[str, ...]]:
    """What is ready to be switched, None where nothing has changed; and what there is to say of the names, of which
    none are all. Raises `Nack`, and then nothing has changed."""
    stores = _holders(host, names)
    await _all(_in_time(host, _refresh(store)) for store in stores)
    # What is being activated may have a secret that was fetched before: it begins again, and nobody who waits fails.
    await cancel(slot.attempt.task for slot in host.slots() if slot.attempt is not None and _named(slot, names))
    stores = _holders(host, names)
    marks: list[dict[str, bytes | None]] = await _all(
        _in_time(host, _fetch(store, helds, names)) for store, helds in stores.items()
    )
    changed = {
        held.slot
        for new, helds in zip(marks, stores.values(), strict=True)
        for held in helds
        if any(mark != new[name] for name, mark in (held.secrets or {}).items() if name in new)
    }
    told = _told(host, names, {name for new in marks for name in new})
    if not changed:
        return None, told
    prepared: Prepared = (await in_thread(_again, host, changed)).get()
    return await warmed(host, hooks, prepared, force=False), told


def _again(host: Host, changed: set[Slot[Any]]) -> Prepared:
    """The wiring there is, with other instances in these slots."""
    return Prepared(host, host.wiring_class, host.generation, host.lines or Lines(None), renewed=changed)


def _named(slot: Slot[Any], names: tuple[str, ...]) -> list[str]:
    """The secrets of a slot that are meant."""
    return [name for name in slot.binding.secrets if not names or name in names]


def _holders(host: Host, names: tuple[str, ...]) -> dict[Slot[Any], list[Held]]:
    """The instances that have one of the secrets, by the slot of the secrets component that these came from."""
    found: dict[Slot[Any], list[Held]] = {}
    for held in host.active.values():
        if held.secrets and _named(held.slot, names):
            found.setdefault(held.slot.scope.slot(SECRETS), []).append(held)
    return found


async def _in_time(host: Host, work: Any) -> Any:
    try:
        return await bounded(asyncio.ensure_future(contained(work)), host.deadlines.secrets)
    except ActivationError as error:
        raise Nack("secrets", str(error)) from error
    except OneiricError as error:
        raise Nack("secrets", f"{SECRETS}: {words(error)}") from error
    except Failed as error:
        raise Nack("secrets", f"{SECRETS} {error}") from error
    except Exception as error:
        raise Nack("secrets", f"{SECRETS} raised {type(error).__name__}") from error


async def _refresh(store: Slot[Any]) -> None:
    """Have the provider itself, whatever layers it has, forget what it keeps."""
    async with store.lease():
        refresh = None if store.held is None else getattr(store.held.instance, "refresh", None)
        if refresh is not None:
            await refresh()


async def _fetch(store: Slot[Any], helds: list[Held], names: tuple[str, ...]) -> dict[str, bytes | None]:
    """The marks of what the secrets are now; None for one that is gone."""
    who = {name: held.slot for held in helds for name in _named(held.slot, names)}
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(leased: Any, name: str) -> bytes | None:
        async with turns:
            return mark_of(await fetch(who[name], leased, name))

    async with store.lease() as leased:
        marks: list[bytes | None] = await _all(one(leased, name) for name in who)
    return dict(zip(who, marks, strict=True))


async def _all(work: Iterable[Awaitable[Any]]) -> list[Any]:
    """What all of it comes to, when all of it is over."""
    found = await asyncio.gather(*work, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return found


def _told(host: Host, names: Iterable[str], held: set[str]) -> tuple[str, ...]:
    """Of the names that were given those that nothing active has."""
    known = {name for slot in host.slots() for name in slot.binding.secrets}
    return tuple(
        f"nothing that is active has the secret {name}{_near(name, known)}" for name in names if name not in held
    )


def _near(name: str, known: set[str]) -> str:
    near = [] if name in known else get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def bare(name: str) -> str:
    """A secret's name as the secrets component is asked for it, also where it is written as in settings."""
    return name.removeprefix(PREFIX)
