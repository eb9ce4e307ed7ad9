from oneiric import component as declares


def service(key):
    def mark(cls):
        return declares("service", key, provider="p")(cls)

    return mark
