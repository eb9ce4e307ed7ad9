from typing import Annotated

import msgspec
from oneiric import component


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    size: Annotated[int, msgspec.Meta(ge=1)] = 100
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class Queues(msgspec.Struct):
    first: Queue
    others: list[Queue] = []


@component("adapter", "jobs", provider="p")
class Jobs:
    def __init__(self, *, queues: Queues) -> None: ...
