from oneiric import component


@component("adapter", "files", provider="new", python_version='>=3.13', priority=9)
class New:
    pass


@component("adapter", "files", provider="uring", os_platform='linux', priority=5)
class Uring:
    pass


@component("adapter", "files", provider="mac", os_platform=('darwin', 'windows'), priority=7)
class Mac:
    pass


@component("adapter", "files", provider="plain")
class Plain:
    pass
