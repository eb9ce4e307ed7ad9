from oneiric import component


@component("adapter", "counter", provider="p", blocking="no")
class Clock:
    pass
