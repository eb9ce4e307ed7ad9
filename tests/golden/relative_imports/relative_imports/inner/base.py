from ..types import Colour, Mode


class Base:
    def __init__(self, *, mode: Mode, colour: Colour) -> None: ...
