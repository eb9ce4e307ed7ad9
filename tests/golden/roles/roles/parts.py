from oneiric import component


class Part: ...


@component("service", "site", provider="std", eager=True)
class Site(Part): ...


@component("service", "health", provider="std", eager=True)
class Health(Part): ...


@component("task", "mail", provider="std", eager=True)
class Mail(Part): ...
