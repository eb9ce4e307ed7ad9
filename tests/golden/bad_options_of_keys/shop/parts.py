from oneiric import component


@component("adapter", "mailer", provider="smtp")
class Smtp: ...


@component("adapter", "clock", provider="utc")
class Clock: ...
