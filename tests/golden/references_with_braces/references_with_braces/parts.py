from oneiric import component


@component("adapter", "p", provider="p")
class P:
    def __init__(self, body: str = "", pair: str = "", plain: str = "", count: int = 0) -> None: ...
