from __future__ import annotations

from dataclasses import dataclass, field

from oneiric import component


@dataclass
class Folder:
    name: str
    inside: list[Folder] = field(default_factory=list)
    owner: Owner | None = None


@dataclass
class Owner:
    name: str
    home: Folder | None = None


@component("adapter", "files", provider="p")
class Files:
    def __init__(self, *, root: Folder) -> None: ...
