from oneiric import component


@component("task", "load", provider="own", stack_level=5)
class Load:
    async def __call__(self, *, stage: str = "all") -> None:
        return None
