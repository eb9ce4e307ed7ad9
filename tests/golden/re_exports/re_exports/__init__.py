from re_exports.inner.mail import Mail
from re_exports.inner.mail import Sms as Text

__all__ = ["Mail", "Text"]
