"""Answers to commands that are misspelt, or written as upstream Oneiric takes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from oneiric_compiler.cli.errors import CommandError

_PROJECT = "--project"
_COMMANDS = {
    "activity": "`oneiric status` shows what is paused or draining; `oneiric pause` and `oneiric drain` change it",
    "plugins": "settings/app.yml lists plugins; `oneiric list` shows what they serve",
    "supervisor-info": "`oneiric status` shows the processes that run",
}
"""Upstream's commands that do not exist here, each with what takes its place."""
_OPTIONS = {
    "--config": "ONEIRIC_CONFIG names another settings folder, `oneiric --project DIR` another project",
    "--debug": "leave it out: every mistake is shown whole",
    "--demo": "it stands before the command: `oneiric --demo list`",
    "--import": "`packages` in settings/app.yml lists what is read for components",
    "--key": "write the key itself: `oneiric explain KEY`, or `oneiric swap KEY PROVIDER`",
    "--manifest": "`oneiric remote-sync --manifest ADDRESS --watch` beside it pins, compiles and reloads what is new",
    "--no-remote": "leave it out: nothing is fetched but by `oneiric remote-sync`",
    "--no-workflow-checkpoints": "`oneiric serve`, `workflow run` and `event emit` take it: the others keep no runs",
    "--payload": "`oneiric action invoke`, `workflow run` and `event emit` take it: the others call nothing",
    "--provider": "write the provider after the key: `oneiric swap KEY PROVIDER`",
    "--refresh-interval": "`refresh` of a source in settings/remote.yml says it; `oneiric remote-sync --watch` goes on",
    "--shadowed": "leave it out: `oneiric list` shows what lost, too",
    "--suppress-events": "leave it out: commands log nothing of themselves",
    "--workflow-checkpoints": "`oneiric serve`, `workflow run` and `event emit` take it: the others keep no runs",
}
"""Upstream's options that do not exist here, each with what takes its place."""
_OF_PROCESSES = "it is about processes: `oneiric list --domain D` and `oneiric explain KEY --domain D` are about keys"
_QUOTED = re.compile(r"(?<![\w'])'([^'\n]+)'(?!\w)")


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--project DIR` in front, where it is taken, wherever it stands. Raises CommandError."""
    before, found = [*arguments], list[str]()
    position = 0
    while position < len(before) and before[position] != "--":
        option = before[position].partition("=")[0]
        if option == _PROJECT:
            width = 1 if "=" in before[position] else 2
            if position + width > len(before):
                raise CommandError("`--project` names no folder", help="write `oneiric --project DIR …`")
            found += before[position : position + width]
            del before[position : position + width]
        else:
            position += 1
    return [*found, *before]


def answer(error: Any) -> CommandError | None:
    """The answer to a usage error of the command-line parser; None where it only showed help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return None
    context: Any = error.ctx
    command = context.command_path if context is not None else "oneiric"
    otherwise = f"`{command} -h` shows what it takes"
    if hasattr(error, "possibilities"):
        option = str(error.option_name)
        help = _as_option(option, command, [str(each) for each in error.possibilities or ()]) or otherwise
        return CommandError(f"`{command}` has no option `{option}`", help=help)
    message: str = error.format_message()
    if (unknown := re.match(r"No such command '([^'\n]+)'", message)) is not None:
        from oneiric_compiler.diagnostics.found import nearest

        known: list[str] = context.command.list_commands(context) if context is not None else []
        near = nearest(unknown[1], known)
        help = _COMMANDS.get(unknown[1]) or (f"did you mean `{near}`?" if near else otherwise)
        return CommandError(f"`{command}` has no command `{unknown[1]}`", help=help)
    first, *rest = message.strip().rstrip(".").splitlines()
    told = "\n".join([first[:1].lower() + first[1:], *rest])
    return CommandError(_QUOTED.sub(r"`\1`", told), help=otherwise)


def _as_option(option: str, command: str, near: list[str]) -> str | None:
    if option == "--domain" and command.rpartition(" ")[2] in ("status", "health"):
        return _OF_PROCESSES
    if option in _OPTIONS:
        return _OPTIONS[option]
    return f"did you mean {' or '.join(f'`{each}`' for each in near[:3])}?" if near else None
