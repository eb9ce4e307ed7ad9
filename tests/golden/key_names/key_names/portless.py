def make() -> object:
    return 1
