class Mail:
    def __init__(self, *, size: int) -> None: ...


class Sms:
    pass


class Fax:
    pass
