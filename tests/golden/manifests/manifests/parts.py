from oneiric import component


@component("adapter", "mail", provider="own", priority=20)
class Own:
    async def send(self, to: str, text: str) -> bool:
        return False


class Lower:
    async def send(self, to: str, text: str) -> bool:
        return False


def three() -> int:
    return 3
