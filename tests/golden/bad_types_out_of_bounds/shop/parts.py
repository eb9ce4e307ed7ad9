from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf
from oneiric import component
from pydantic import Field


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self,
        *,
        ge: Annotated[int, Ge(1)],
        gt: Annotated[float, Gt(0.5)],
        le: Annotated[int, Le(10)],
        lt: Annotated[int | None, Lt(10)],
        between: Annotated[int, Interval(ge=1, le=5)],
        steps: Annotated[Decimal, MultipleOf(0.05)],
        price: Annotated[Decimal, Field(gt=Decimal("0.10"), description="what it costs")],
        pause: Annotated[timedelta, Le(timedelta(minutes=5))],
        short: Annotated[str, MaxLen(3)],
        long: Annotated[list[int], MinLen(2)],
        both: Annotated[dict[str, int], Len(1, 2)],
        code: Annotated[str, Field(pattern="^[A-Z]{3}$", min_length=3)],
        key: Annotated[bytes, Len(16, 16)],
        deep: list[Annotated[int, Field(ge=0, multiple_of=5)]],
        asked: Annotated[int, Ge(1)] = 1,
        fine: Annotated[int, Ge(1)] = 1,
    ) -> None: ...
