from enum import Enum, Flag, IntEnum, IntFlag, StrEnum, auto

from oneiric import component


class Colour(Enum):
    RED = "r"
    BLUE = "RED"
    OTHER = object()


class Level(IntEnum):
    LOW = 10
    HIGH = 20


class Mode(StrEnum):
    FAST = auto()
    SLOW = "slow one"


class Perm(Flag):
    READ = 1
    WRITE = 2
    RUN = auto()


class Bits(IntFlag):
    ONE = 1
    TWO = 2


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self,
        *,
        by_name: Colour,
        by_value: Colour,
        name_first: Colour,
        level: Level,
        level_text: Level,
        mode: list[Mode],
        perm: Perm,
        perms: list[Perm],
        bits: Bits,
        asked: Colour = Colour.RED,
        asked_level: Level = Level.LOW,
        asked_mode: Mode = Mode.FAST,
        asked_perm: Perm = Perm.READ,
        asked_bits: Bits = Bits.ONE,
    ) -> None: ...
