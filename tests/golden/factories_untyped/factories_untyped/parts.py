import functools


def make(size, colour="red"):
    return object()


class Untyped:
    def __init__(self, size, url=None):
        pass


@functools.cache
def decorated(anything):
    return object()
