from enum import Enum
from typing import Literal

Mode = Literal["fast", "slow"]


class Colour(Enum):
    red = 1
