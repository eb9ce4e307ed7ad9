from oneiric import Secret, component


@component("adapter", "p", provider="p")
class P:
    def __init__(
        self, *, open: str, reference: str, unnamed: str, secret: Secret, size: int = 1, shape: str = ""
    ) -> None: ...
