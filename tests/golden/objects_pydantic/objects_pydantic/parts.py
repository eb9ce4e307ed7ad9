from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from oneiric import Secret, component
from pydantic import BaseModel, ConfigDict, Field


class Base(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    version: ClassVar[int] = 1


class Limits(Base):
    rate: int = Field(default=10, ge=1, le=100)
    burst: Annotated[int, Field(gt=0)]
    price: Decimal = Field(default=Decimal("1.5"), max_digits=4)
    _seen: int = 0


class Gateway(Base):
    mode: Literal["live", "test"] = "test"
    limits: Limits = Field(default_factory=lambda: Limits(burst=1))
    key: Secret = Field(..., alias="apiKey")
    note: str | None = None


@component("adapter", "pay", provider="p")
class Pay:
    def __init__(self, *, gateway: Gateway) -> None: ...
