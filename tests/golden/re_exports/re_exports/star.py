from re_exports.inner.mail import *
