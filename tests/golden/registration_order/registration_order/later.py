from oneiric import component


@component("adapter", "sms", provider="one")
class One:
    pass


@component("adapter", "sms", provider="two")
class Two:
    pass
