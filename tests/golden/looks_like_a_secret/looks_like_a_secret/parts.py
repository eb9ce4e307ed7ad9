from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    def __init__(self, *, password: str, api_key: str, token: str) -> None: ...
