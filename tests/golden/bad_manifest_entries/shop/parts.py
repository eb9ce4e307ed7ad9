class Mail:
    pass
