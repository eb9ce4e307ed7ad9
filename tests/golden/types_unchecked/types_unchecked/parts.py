from typing import Any, TypeAlias, TypedDict, Union

from oneiric import component


Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]
Names = list[str]
Url: TypeAlias = str


class Options(TypedDict):
    host: str


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self, *, json: Json, pair: Any, typed: Options, alias: Names, explicit_alias: Url, by_number: dict[int, str],
    ) -> None: ...
