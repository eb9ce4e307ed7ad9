from collections import OrderedDict

NUMBER = 5
make = lambda: 5
LOOP = POOL
POOL = LOOP


async def produce() -> object:
    yield 5
