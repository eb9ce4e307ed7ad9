from oneiric import Secret
from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self, *, password: Secret, maybe: Secret | None, token: Secret, url: str, many: list[Secret], from_environment: Secret, plain: str,
    ) -> None: ...
