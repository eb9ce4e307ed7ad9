from typing import Literal

from types_choices import colours
from types_choices.colours import Shade
from oneiric import component


Mode = Literal["fast", "slow"]


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self, *, mode: Mode, level: Literal[-1, 0, 1], maybe: Literal["x", None], colour: colours.Colour, shade: Shade,
        from_environment: Mode, colour_from_environment: colours.Colour, tone: colours.Tone,
    ) -> None: ...
