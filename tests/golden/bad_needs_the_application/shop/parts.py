from oneiric import Application, component


@component("service", "lists", provider="std", needs={"several": ["oneiric:runtime", "service:lacks"]})
class Lists:
    def __init__(self, *, several: list[object]) -> None: ...


@component("service", "lacks", provider="std")
class Lacks:
    def __init__(self, *, application: Application) -> None: ...


@component("service", "misspelt", provider="std", needs={"application": "oneiric:runtim"})
class Misspelt:
    def __init__(self, *, application: Application) -> None: ...
