from oneiric import component


@component("adapter", "mail", provider="smtp")
class Smtp:
    pass


@component("adapter", "mail", provider="api")
class Api:
    pass
