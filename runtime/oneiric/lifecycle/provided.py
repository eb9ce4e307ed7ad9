"""Instances that the application hands in: whether all are there, and fit."""

from __future__ import annotations

from oneiric.errors import NotProvided
from oneiric.fitting import check_replacements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.slot import AnyHost
    from oneiric.wiring import Binding


def check_provided(host: AnyHost, bindings: Iterable[Binding]) -> None:
    """Hold what is handed in against the bindings that are provided.

    Raises `NotProvided`, which names all that lack; `ReplacementError`, which names all that do not fit their ports.
    """
    wanted = [each for each in bindings if each.provided and each.key not in host.replaced]
    if missing := sorted(each.key for each in wanted if each.key not in host.provided):
        raise NotProvided(*missing)
    check_replacements((each.key, each.port, host.provided[each.key]) for each in wanted)
