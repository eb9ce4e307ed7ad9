from oneiric import component


@component("adapter", "x", provider="p", stack_level=101, priority=-1001)
class Api:
    pass
