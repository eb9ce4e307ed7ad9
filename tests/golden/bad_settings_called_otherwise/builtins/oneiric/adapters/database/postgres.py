from oneiric import component


@component("adapter", "database", provider="postgres", stack_level=-20)
class PostgresDatabase:
    def __init__(self, *, max_connections: int = 10, timeout: float = 30.0) -> None: ...
