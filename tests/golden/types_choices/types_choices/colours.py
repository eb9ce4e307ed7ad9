from enum import Enum, IntEnum


class Colour(str, Enum):
    RED = "r"
    BLUE = "b"

    def darker(self) -> str:
        return self.value


class Shade(IntEnum):
    dark = 1
    light = 2
