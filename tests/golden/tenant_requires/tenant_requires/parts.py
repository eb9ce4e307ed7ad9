from oneiric import component


@component("adapter", "mail", provider="smtp", capabilities=('bulk',))
class Smtp:
    pass


@component("adapter", "mail", provider="api", priority=5)
class Api:
    pass
