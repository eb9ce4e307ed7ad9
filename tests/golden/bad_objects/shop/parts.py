from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge
from oneiric import Secret, component
from pydantic import BaseModel, Field


@dataclass
class Host:
    name: str
    port: Annotated[int, Ge(1)] = 5432
    password: Secret | None = None


@dataclass
class Pool:
    size: int
    hosts: list[Host] = field(default_factory=list)
    by_region: dict[str, Host] = field(default_factory=dict)
    main: Host | None = None
    timeout: float = 5.0


class Limits(BaseModel):
    rate: int = Field(10, ge=1, le=100)
    name: str = Field(alias="label", max_length=3)


@component("adapter", "store", provider="p")
class Store:
    def __init__(
        self, *, unknown: Pool, missing: Pool, wrong: Pool, bounds: Pool, limits: Limits, secret: Pool, whole: Pool,
        listed: Pool, reference: Pool, doubt: Pool,
    ) -> None: ...
