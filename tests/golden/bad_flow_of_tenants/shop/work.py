from oneiric import component


@component("task", "work", provider="done")
class Work:
    async def __call__(self, *, id: str) -> str:
        return id


@component("workflow", "close", provider="closer")
class Closer:
    async def __call__(self, *, id: str) -> str:
        return id


@component("workflow", "audit", provider="auditor", priority=-1)
class Auditor:
    async def __call__(self, *, id: str) -> str:
        return id
