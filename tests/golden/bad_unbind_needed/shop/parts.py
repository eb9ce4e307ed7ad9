from oneiric import Secret, component


@component("task", "cron", provider="std")
class Cron: ...


@component("service", "report", provider="std", needs={"cron": "task:cron"})
class Report:
    def __init__(self, *, cron: Cron) -> None: ...


@component("service", "lists", provider="std", needs={"crons": ["task:cron"]}, lazy=("crons",))
class Lists:
    def __init__(self, *, crons: list[Cron]) -> None: ...


@component("service", "named", provider="std", needs={"cron": "cron"})
class Named:
    def __init__(self, *, cron: Cron) -> None: ...


@component("adapter", "secrets", provider="vault")
class Vault: ...


@component("service", "mailer", provider="std")
class Mailer:
    def __init__(self, *, password: Secret) -> None: ...


@component("service", "mailer", provider="quiet", priority=-1)
class Quiet: ...
