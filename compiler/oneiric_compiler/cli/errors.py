"""What a command answers when it cannot do what was asked."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from oneiric.errors import refused

from oneiric_compiler.text.paint import Line
from oneiric_compiler.text.visible import visible

COMPILER_MODULES = frozenset(("cryptography", "httpx", "jinja2", "jsonschema", "tenacity", "yaml"))


class CommandError(Exception):
    """What ends a command: invalid input or usage, unless `exit` is another exit code than 2."""

    def __init__(self, message: str, *, help: str | None = None, code: str | None = None, exit: int = 2) -> None:
        super().__init__(message)
        self.message, self.help, self.code, self.exit = message, help, code, exit

    @classmethod
    def of_system(cls, error: OSError) -> CommandError:
        """What the operating system refused."""
        return cls(refused(error))

    def document(self) -> dict[str, object]:
        """Format `oneiric.error/1` (`schemas/error.schema.json`)."""
        message, help = self._masked()
        return {"format": "oneiric.error/1", "error": {"code": self.code, "message": message, "help": help}}

    def lines(self) -> list[Line]:
        kind = f"error[{self.code}]" if self.code else "error"
        message, help = self._masked()
        lines: list[Line] = [[(kind, "red"), (f": {visible(message)}", "bold")]]
        if help:
            lines.append([("  = ", "blue"), ("help", "bold"), (f": {visible(help)}", "plain")])
        return lines

    def _masked(self) -> tuple[str, str | None]:
        from oneiric_compiler.text.redact import masked

        return masked(self.message), self.help and masked(self.help)


@contextmanager
def compiler_extra(command: str) -> Generator[None]:
    """Imports in its block that need the extra `compiler` fail with an error naming the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in COMPILER_MODULES:
            raise
        raise CommandError(
            f"`oneiric {command}` needs the extra `compiler` of oneiric (no module `{missing}` here)",
            help="install oneiric with its extra `compiler`; what only reads a report works without it",
        ) from error
