from oneiric import component


@component("task", "report", provider="report")
class Report:
    async def __call__(self, *, day: str, copies: int = 1) -> None: ...
