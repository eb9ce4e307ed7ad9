from oneiric import component


@component("adapter", "mail", provider="smtp", stack_level=2)
class Smtp:
    pass


@component("adapter", "mail", provider="api", stack_level=1)
class Api:
    pass


@component("adapter", "mail", provider="plain")
class Plain:
    pass
