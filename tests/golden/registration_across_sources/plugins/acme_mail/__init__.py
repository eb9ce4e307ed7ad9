from oneiric import component


@component("adapter", "mail", provider="smtp")
class AcmeSmtp:
    pass
