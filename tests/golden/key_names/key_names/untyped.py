def untyped():
    return 1
