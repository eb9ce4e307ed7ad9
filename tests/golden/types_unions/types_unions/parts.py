from enum import Enum
from pathlib import Path
from typing import Annotated, Optional, Union

from oneiric import component


class Colour(Enum):
    red = 1
    blue = 2


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self, *, optional: str | None, optional_number: int | None, either: int | str, number_first: int | str,
        old_style: Optional[int], old_union: Union[int, bool], list_or_text: str | list[str],
        text_or_list: "str | list[str]", path_or_none: Path | None, colour: Colour | None, annotated: Annotated[int, "metres"],
    ) -> None: ...
