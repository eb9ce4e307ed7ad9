class Client:
    @classmethod
    def connect(cls, *, size: int = 1) -> "Client":
        return cls()
