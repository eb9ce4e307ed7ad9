"""What is wrong with a setting's value, and where in it."""

from __future__ import annotations

from oneiric_compiler.diagnostics.found import Help


class Unfit(Exception):
    """A value that cannot stand where it does: the code, what is wrong, and what to do.

    `path` leads to it inside the setting's value; `others` are further ones of the same setting; `instance` is the
    `module:Name` of the port or component class that the value would have to be an instance of.
    """

    def __init__(self, code: str, message: str, help: Help = None, instance: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.help, self.instance = code, message, help, instance
        self.path: tuple[str | int, ...] = ()
        self.others: tuple[Unfit, ...] = ()
