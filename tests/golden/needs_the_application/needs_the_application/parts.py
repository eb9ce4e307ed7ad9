from oneiric import Application, component


@component("service", "pages", provider="std", needs={"application": "oneiric:runtime"})
class Pages:
    def __init__(self, *, application: Application, title: str = "pages") -> None: ...


@component(
    "service",
    "about",
    provider="std",
    needs={"runtime": "oneiric:runtime", "pages": "service:pages"},
    optional=("runtime",),
    lazy=("runtime",),
)
class About:
    def __init__(self, *, pages: Pages, runtime: Application | None = None) -> None: ...
