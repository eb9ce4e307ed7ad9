"""A text that must not be seen: passwords, tokens, keys."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

SECRETS = "adapter:secrets"
"""The key that secrets are asked of: a need of whatever has one."""
PREFIX = "ONEIRIC_SECRET_"
"""What the name of a reference in settings begins with that is a secret's."""
_MASK = "Secret(****)"


class Secret:
    """Holds a secret text; shown, formatted and logged it is always `Secret(****)`. It cannot be pickled."""

    __slots__ = ("__text",)

    def __init__(self, value: str) -> None:
        # in a closure: what lists the attributes of an object shows a function
        self.__text: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        """The text itself. Pass it on, do not keep it."""
        return self.__text()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__text() == other.__text()

    def __hash__(self) -> int:
        return hash((Secret, self.__text()))

    def __repr__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> str:
        return _MASK

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")
