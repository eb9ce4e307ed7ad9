from oneiric import component


@component("adapter", "mail", provider="b")
class B:
    pass


@component("adapter", "sms", provider="b")
class Sms:
    pass
