from oneiric import component


@component("adapter", "mail", provider="smtp", capabilities=('attachments', 'html', 'bulk'))
class Smtp:
    pass


@component("adapter", "mail", provider="api", priority=5, capabilities=('html',))
class Api:
    pass
