"""Which profile's wiring a program runs: what a generated `choose.py` is made of."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from oneiric.wiring import Wiring

VARIABLE = "ONEIRIC_PROFILE"


def chosen(profiles: Mapping[str, Callable[[], type[Wiring]]], profile: str | None) -> type[Any]:
    """The wiring of `profile`, else of the profile that `ONEIRIC_PROFILE` names, else of the default; only that one is
    imported. Raises `UnknownProfile`."""
    variable = None
    if profile is None:
        from os import environ

        variable = VARIABLE if VARIABLE in environ else None
        profile = environ.get(VARIABLE, "default")
    if profile not in profiles:
        from oneiric.errors import UnknownProfile

        raise UnknownProfile(profile, tuple(profiles), variable)
    return profiles[profile]()
