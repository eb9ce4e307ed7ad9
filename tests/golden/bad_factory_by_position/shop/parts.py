from oneiric import component


@component("adapter", "mail", provider="p")
def make(size: int, /, colour: str) -> object:
    return object()
