from oneiric import component


@component("adapter", "chat", provider="slack")
class Slack: ...


@component("adapter", "queue", provider="memory")
class Queue: ...


@component("adapter", "cache", provider="memory")
class Cache: ...
