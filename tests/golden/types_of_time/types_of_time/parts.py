from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self,
        *,
        short: timedelta,
        several: list[timedelta],
        asked: timedelta,
        moment: datetime,
        moments: dict[str, datetime],
        day: date,
        clock: time,
        zone: ZoneInfo | None = None,
        zones: tuple[ZoneInfo, ...] = (),
    ) -> None: ...
