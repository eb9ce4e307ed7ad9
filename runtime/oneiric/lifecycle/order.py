"""The order of closing: an instance after those that need it, otherwise at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from oneiric.lifecycle.activation import needed
from oneiric.lifecycle.closing import retire
from oneiric.lifecycle.steps import outlast
from oneiric.slot import Held


async def close_in_order(helds: list[Held], until: float, hurry: asyncio.Future[None]) -> list[Exception]:
    """Retire these instances, each after those that need it, otherwise at once; the errors on the way."""

    async def close(held: Held) -> list[Exception]:
        return await retire(held, until, hurry)

    return await in_order(users_of(helds), close)


def users_of(helds: list[Held]) -> dict[Held, list[Held]]:
    """Each of these instances with those of them that need it."""
    by_slot = {held.slot: held for held in helds}
    users: dict[Held, list[Held]] = {held: [] for held in helds}
    for held in users:
        binding = held.slot.binding
        if held.owned and (binding.needs or binding.secrets or binding.inner):
            for need in needed(held.slot):
                if need in by_slot:
                    users[by_slot[need]].append(held)
    return users


async def in_order(
    users: dict[Held, list[Held]], close: Callable[[Held], Awaitable[list[Exception]]]
) -> list[Exception]:
    """Close each instance after its users, otherwise at once; the errors on the way."""
    # An instance may call what it needs until its own close is over, so each waits for its users' whole end, also where
    # that ended badly. All wait at once: a slow close holds up what it needs, and nothing else. Needs have no cycles,
    # which an activation refuses, so none waits for itself.
    # Somebody may cancel every task there is, also before its first step: what has not ended then has its turn again.
    loop = asyncio.get_running_loop()
    ends: dict[Held, asyncio.Future[list[Exception]]] = {held: loop.create_future() for held in users}

    async def after_users(held: Held) -> None:
        await outlast(ends[user] for user in users[held])
        errors: list[Exception] = []
        try:
            errors = await close(held)
        finally:
            ends[held].set_result(errors)

    while left := [held for held, end in ends.items() if not end.done()]:
        tasks = [asyncio.ensure_future(after_users(held)) for held in left]
        await outlast(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
    return [error for end in ends.values() for error in end.result()]
