from oneiric import component


@component("adapter", "database", provider="sqlite", stack_level=-20)
class SQLiteDatabase:
    def __init__(self, *, lock_timeout: float = 5.0) -> None: ...
