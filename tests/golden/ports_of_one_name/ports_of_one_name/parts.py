from oneiric import component


@component("adapter", "one", provider="one", port='ports_of_one_name.one:Mail')
class One:
    async def send(self, to: str, *, urgent: bool = False) -> bool:
        return urgent


@component("adapter", "two", provider="two", port='ports_of_one_name.two:Mail')
class Two:
    async def post(self, to: str, *, urgent: bool = False) -> bool:
        return urgent


@component("adapter", "three", provider="three", port='ports_of_one_name.one:Mail')
class Three:
    async def send(self, to: str, *, urgent: bool = False) -> bool:
        return urgent
