from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    def send(self) -> None: ...


class Acme:
    def more(self) -> None: ...
