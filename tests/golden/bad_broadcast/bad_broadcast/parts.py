from typing import Any

from oneiric import component


@component("adapter", "posts", provider="own", capabilities=["queue"])
class Posts:
    pass


class Handler:
    async def __call__(self, *, event: dict[str, Any]) -> None: ...


@component("event", "forget", provider="own")
class Forget(Handler):
    pass


@component("event", "once", provider="own")
class Once(Handler):
    pass


@component("event", "twice", provider="own")
class Twice(Handler):
    pass
