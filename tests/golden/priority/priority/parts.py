from oneiric import component


@component("adapter", "mail", provider="smtp", priority=7)
class Smtp:
    pass


@component("adapter", "mail", provider="api", priority=-3)
class Api:
    pass


@component("adapter", "mail", provider="plain", stack_level=100)
class Plain:
    pass
