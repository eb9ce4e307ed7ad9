from oneiric import component


@component("my_part", "index", provider="p")
class Index:
    pass


@component("wiring", "w", provider="p")
class Wired:
    pass


@component("domain", "d", provider="p")
class InDomain:
    pass


class Search:
    def __init__(self, *, index: Index, size: int = 1) -> None: ...
