from oneiric import component


@component("adapter", "mail", provider="smtp", stack_level=1)
class Smtp:
    pass
