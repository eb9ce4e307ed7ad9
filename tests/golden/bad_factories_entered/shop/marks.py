def entered(function):
    return lambda: next(function())
