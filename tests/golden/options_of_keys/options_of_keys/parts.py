from oneiric import component


@component("adapter", "mailer", provider="smtp", eager=True)
class Smtp:
    """Eager by its declaration; settings say otherwise."""


@component("adapter", "clock", provider="utc")
class Clock: ...


@component("adapter", "consumer", provider="nats", needs={"mailer": "adapter:mailer"})
class Consumer:
    def __init__(self, *, mailer: Smtp) -> None: ...
