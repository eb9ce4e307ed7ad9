from oneiric.adapters.cache import Cache
from oneiric.adapters.database import Database
from oneiric import component


@component("service", "orders", provider="orders", needs={'database': 'adapter:database', 'cache': 'cache'})
class Orders:
    def __init__(self, *, database: Database, cache: Cache) -> None: ...
