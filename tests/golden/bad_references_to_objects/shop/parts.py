from __future__ import annotations

from dataclasses import dataclass, field

from oneiric import Secret, component


@dataclass
class Host:
    name: str
    port: int = 5432
    api_key: int = 0


@dataclass
class Pool:
    size: int
    hosts: list[Host] = field(default_factory=list)
    password: Secret | None = None


@dataclass
class Login:
    user: str
    password: str


@dataclass
class Tree:
    branches: list[Tree] = field(default_factory=list)


@component("adapter", "p", provider="p")
class P:
    def __init__(
        self,
        *,
        missing: Pool | None = None,
        empty: Pool | None = None,
        unknown: Pool | None = None,
        wrong: Pool | None = None,
        password: Pool | None = None,
        tree: Tree | None = None,
        pin: Pool | None = None,
        login: Login | None = None,
    ) -> None: ...
