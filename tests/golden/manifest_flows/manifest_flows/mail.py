from oneiric import component


@component("task", "mail", provider="own")
class Mail:
    async def __call__(self, *, to: str = "all") -> None:
        return None
