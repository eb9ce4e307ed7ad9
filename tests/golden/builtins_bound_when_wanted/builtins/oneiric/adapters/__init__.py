from oneiric import component


@component("adapter", "cache", provider="memory", stack_level=-10, priority=0)
class Memory:
    pass


@component("adapter", "cache", provider="redis", stack_level=-20, priority=0)
class Redis:
    pass


@component("adapter", "queue", provider="redis", stack_level=-20, priority=0)
class RedisQueue:
    pass


@component("adapter", "search", provider="elastic", stack_level=-20, priority=0)
class Elastic:
    pass


@component("adapter", "vector", provider="duck", stack_level=-15, priority=0)
class Duck:
    pass


@component("adapter", "graph", provider="neo", stack_level=-20, priority=0)
class Neo:
    pass


@component("adapter", "blob", provider="s3", stack_level=-20, priority=0)
class S3:
    pass
