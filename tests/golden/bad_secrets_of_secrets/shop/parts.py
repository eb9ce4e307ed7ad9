from oneiric import Secret
from oneiric import component


@component("adapter", "secrets", provider="vault", needs={'http': 'adapter:http'})
class Vault:
    def __init__(self, *, token: Secret, http: object) -> None: ...


@component("adapter", "http", provider="client")
class Client:
    def __init__(self, *, key: Secret) -> None: ...
