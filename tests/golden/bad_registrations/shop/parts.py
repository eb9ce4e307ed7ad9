"""Components as upstream Oneiric registers them."""

from oneiric.adapters import AdapterMetadata, register_adapter_metadata
from oneiric.core.resolution import Candidate, Resolver

from shop.people import Candidate as Person

resolver = Resolver()
applicant = Person("Ada")


class RedisCache:
    metadata = AdapterMetadata(category="cache", provider="redis", factory="shop.parts.RedisCache", stack_level=10)


class Stripe:
    pass


resolver.register(Candidate(domain="service", key="payment-processor", provider="stripe", priority=5, factory=Stripe))
register_adapter_metadata(
    resolver,
    package_name="shop",
    adapters=[AdapterMetadata(category="queue", provider="nats", factory=lambda: None)],
)


class Hub:
    def __init__(self, bridge):
        from oneiric.core.resolution import Candidate as Late

        bridge.register_candidate("service", "hub", factory=lambda: self)
        bridge.add(Late("task", key="report", provider="std"))
