from typing import Protocol


class Mail(Protocol):
    def send(self) -> None: ...


class MoreMail(Protocol):
    def send(self) -> None: ...
    def more(self) -> None: ...
