from typing import Self

from elsewhere import Base


class Pool:
    size = 3

    def rows(self, query: str) -> list[str]:
        return [query]

    @classmethod
    def open(cls, *, size: int) -> Self:
        return cls()

    class Inner:
        @classmethod
        def open(cls) -> Self:
            return cls()


class Foreign(Base):
    pass


def make() -> Pool:
    return Pool()
