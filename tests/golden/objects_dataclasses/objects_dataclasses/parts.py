from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from oneiric import Secret, component


@dataclass
class Named:
    name: str = "pool"


@dataclass
class Host(Named):
    port: int = 5432
    seen: int = field(default=0, init=False)


@dataclass(kw_only=True)
class Credentials:
    user: str
    password: Secret


@dataclass
class Pool(Named):
    """Connections."""

    limit: ClassVar[int] = 100
    _: KW_ONLY
    size: int
    hosts: list[Host] = field(default_factory=list)
    by_region: dict[str, Host] = field(default_factory=dict)
    login: Credentials | None = None
    wait: timedelta = timedelta(seconds=5)
    files: tuple[Path, ...] = ()
    warm: InitVar[bool] = False


@component("adapter", "store", provider="p")
class Store:
    def __init__(self, *, pool: Pool, spare: Pool | None = None, hosts: list[Host], default: Host = Host()) -> None: ...
