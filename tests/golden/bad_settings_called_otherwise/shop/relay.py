from oneiric import component


@component("adapter", "mail", provider="relay")
class Relay:
    def __init__(self, *, user: str = "", use: str = "") -> None: ...
