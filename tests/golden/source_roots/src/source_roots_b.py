from oneiric import component


@component("adapter", "sms", provider="src")
class Src:
    pass
