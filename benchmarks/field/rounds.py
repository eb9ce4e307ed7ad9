"""Taking samples in random order, and entering what a contender gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from random import Random
from typing import Any, TypeVar

from benchmarks.measure import loop

T = TypeVar("T")


def shuffled(rounds: int, chance: Random, actions: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """The results of each action, one per round; every round has an order of its own."""
    results: dict[str, list[T]] = {name: [] for name in actions}
    for _ in range(rounds):
        order = list(actions)
        chance.shuffle(order)
        for name in order:
            results[name].append(actions[name]())
    return results


def nanoseconds(
    statements: Mapping[str, tuple[str, Mapping[str, Any]]], rounds: int, times: int, chance: Random
) -> dict[str, list[list[float]]]:
    """Thread time of each statement with its names, as the only column of a table."""
    loops = {name: partial(loop(text, **names), times) for name, (text, names) in statements.items()}
    return {name: [samples] for name, samples in shuffled(rounds, chance, loops).items()}


async def entered(stack: AsyncExitStack, made: Any) -> Any:
    """What a contender gave, entered where it is an asynchronous context manager."""
    return await stack.enter_async_context(made) if hasattr(made, "__aenter__") else made
