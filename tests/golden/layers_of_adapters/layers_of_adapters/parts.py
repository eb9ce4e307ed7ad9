from oneiric.adapters.cache import Cache
from oneiric.adapters.http import HttpClient


def prefixed(*, inner: Cache, prefix: str) -> Cache:
    return inner


def measured(*, inner: HttpClient) -> HttpClient:
    return inner
