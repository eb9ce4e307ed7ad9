class Candidate:
    """No registration: it only has the name of one."""

    def __init__(self, name):
        self.name = name


def register_candidate(person):
    return Candidate(person)


registered = register_candidate("Grace")
