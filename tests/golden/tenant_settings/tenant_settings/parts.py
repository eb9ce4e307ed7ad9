from oneiric import component


@component("adapter", "mail", provider="smtp")
class Smtp:
    def __init__(self, *, host: str = "localhost", timeout: float = 1.0) -> None: ...


@component("service", "letters", provider="letters", needs={'mail': 'adapter:mail'})
class Letters:
    def __init__(self, *, mail: Smtp, greeting: str = "Dear") -> None: ...


@component("workflow", "billing", provider="billing", needs={'letters': 'service:letters'})
class Billing:
    def __init__(self, *, letters: Letters) -> None: ...


@component("adapter", "clock", provider="utc")
class Clock:
    pass
