from enum import Enum, IntEnum


class Colour(str, Enum):
    RED = "r"
    BLUE = "b"

    def darker(self) -> str:
        return self.value


class Named(Enum):
    def title(self) -> str:
        return self.name.title()


class Tone(Named):
    warm = 1
    cold = 2


class Shade(IntEnum):
    dark = 1
    light = 2
