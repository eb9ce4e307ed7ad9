from oneiric import component


@component("adapter", "mail", provider="p")
class MailP:
    def __init__(self, *, size: int, colour: str) -> None: ...


@component("adapter", "files", provider="p")
class FilesP:
    def __init__(self, *, size: int, colour: str) -> None: ...


@component("adapter", "files", provider="loser", priority=-1)
class Loser:
    def __init__(self, *, size: int) -> None: ...
