from acme_clients import Client


class Pooled(Client):
    pass
