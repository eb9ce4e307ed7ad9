from collections.abc import Callable, Hashable, Sized

from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self,
        *,
        hooks: list[Hashable] | None = None,
        named: dict[str, Sized],
        either: dict[str, "complex | str"],
        never: list[complex],
        clock: Callable[[], float] | None = None,
    ) -> None: ...
