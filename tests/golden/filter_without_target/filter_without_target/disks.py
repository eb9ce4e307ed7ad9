from oneiric import component


@component("adapter", "disk", provider="mac", os_platform=('windows', 'darwin'))
class MacDisk:
    pass


@component("adapter", "disk", provider="plain")
class PlainDisk:
    pass
