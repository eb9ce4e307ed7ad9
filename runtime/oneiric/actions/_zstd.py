"""The module `zstd`: of the standard library from Python 3.14 on, before of the distribution backports.zstd."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    import backports.zstd as zstd

__all__ = ["zstd"]
