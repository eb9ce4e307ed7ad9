from oneiric import component


@component("adapter", "mail", provider="smtp")
class Smtp:
    pass
