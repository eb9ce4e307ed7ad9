from oneiric import component


@component("adapter", "mail", provider="acme")
class AcmeMail:
    def __init__(self, *, size: int) -> None: ...


@component("adapter", "maps", provider="acme")
class AcmeMaps:
    def __init__(self, *, size: int) -> None: ...
