from oneiric import component


@component("service", "orders", provider="orders", needs={'sms': 'adapter:sms'})
class Orders:
    def __init__(self, *, sms: object, size: int) -> None: ...
