from oneiric import component


@component("adapter", "mail", provider="smtp", eager=True)
class Smtp:
    pass


@component("adapter", "fax", provider="p", eager=False)
class Fax:
    pass


class Sms:
    pass
