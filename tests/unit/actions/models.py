"""Classes that records are held against."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, Field
from typing_extensions import TypedDict  # which pydantic wants before Python 3.12


class Line(BaseModel):
    sku: str
    count: int = Field(default=1, ge=1)


class Order(BaseModel):
    id: int
    lines: list[Line] = []


@dataclass
class Place:
    x: float
    y: float = 0.0


class Named(TypedDict):
    name: str


class Opaque:
    """Nothing that pydantic makes a model of."""
