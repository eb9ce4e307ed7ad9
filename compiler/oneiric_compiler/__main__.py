"""`python -m oneiric_compiler`: the command, for processes that recompile themselves."""

from __future__ import annotations

from oneiric_compiler.cli import main

if __name__ == "__main__":
    main()
