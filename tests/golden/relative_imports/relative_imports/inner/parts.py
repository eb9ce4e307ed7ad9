from oneiric import component

from .base import Base
from . import base


@component("adapter", "mail", provider="p")
class Mail(Base):
    pass


@component("adapter", "sms", provider="p")
class Sms(base.Base):
    pass
