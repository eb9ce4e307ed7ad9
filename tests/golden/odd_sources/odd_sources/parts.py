import sys

from oneiric import component

from odd_sources.cycle_a import A

PATTERN = "\d+"  # an invalid escape is a warning of Python, not a mistake for the compiler

if sys.version_info >= (3, 0):
    Size = int

try:
    from odd_sources.cycle_a import X as Loops
except ImportError:
    pass


@component("adapter", "mail", provider="p")
class P:
    def __init__(self, *, size: "Size" = 1, loops: "Loops | None" = None, odd: A = None, nowhere: "A.B" = None) -> None: ...
