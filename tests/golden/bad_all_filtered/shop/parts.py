from oneiric import component


@component("adapter", "mail", provider="smtp", capabilities=('html',), python_version='>=3.13')
class Smtp:
    pass


@component("adapter", "mail", provider="mac", os_platform='darwin')
class Mac:
    pass


@component("adapter", "mail", provider="plain")
class Plain:
    pass


@component("adapter", "sms", provider="new", python_version='>=3.14')
class New:
    pass


@component("adapter", "sms", provider="mac", os_platform=('darwin', 'windows'))
class MacSms:
    pass
