from datetime import date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from annotated_types import Ge
from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self,
        *,
        short: timedelta,
        several: list[timedelta],
        back: Annotated[timedelta, Ge(timedelta(hours=-1))],
        asked: timedelta, timeout: float, cache_ttl: int, delays: dict[str, float],
        moment: datetime,
        moments: dict[str, datetime],
        day: date,
        clock: time,
        zone: ZoneInfo | None = None,
        zones: tuple[ZoneInfo, ...] = (),
    ) -> None: ...
