"""Which names suggest that what they hold is secret, misspelt ones too.

`password_file` and `token_url` are of no secret: they say where one is, or something about it.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SECRETS = """
    password passwords passwd pwd passphrase passphrases passcode secret secrets token tokens credential credentials
    apikey apikeys
"""
_KEYS_OF = "api private access signing encryption auth secret master shared account hmac"
_ABOUT = """
    age alg algorithm alphabet attribute audience backend bucket budget cache callback chars charset class column cost
    count days delimiter digest dir directory enabled encoding endpoint engine env expiration expires expiry factory
    field file filename files folder format function generator grace header help hint hook host hours id ids input
    issuer kind label leeway len length lifetime limit limits location manager max message min minimum minutes mode
    model module name names optional page param parameter path paths pattern policies policy prefix prompt provider
    query queue rate refresh regex region required reset rotation rounds route rules scheme schemes scope scopes
    seconds separator server service size source sources store strategy suffix table template timeout topic ttl type
    types uri uris url urls validator validators var variable version view
"""
_SECRET_WORDS, _ABOUT_WORDS = frozenset(_SECRETS.split()), frozenset(_ABOUT.split())
_WORDS_OF_KEYS = frozenset(_KEYS_OF.split())
_KEYS = frozenset(("key", "keys"))
_AT_THE_END = frozenset(("pass", "pw", "psw"))
_ENDINGS = ("password", "passwd", "passphrase", "passwort", "secret", "authtoken", "accesstoken", "apikey", "secretkey")
_MISSPELT = ("password", "passphrase", "credential", "credentials", "secret", "token")
_AMOUNT = frozenset(("max", "min", "num", "number", "total", "count"))
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")


@lru_cache(maxsize=4096)
def secret_name(name: str) -> bool:
    """Whether a setting of this name suggests a secret. The key `secrets` itself does not."""
    words = [each.lower() for each in _WORD.findall(name)]
    if name == "secrets" or not words or words[0] in _AMOUNT:
        return False
    last = next((at for at in reversed(range(len(words))) if _names_a_secret(words, at)), None)
    return last is not None and not _ABOUT_WORDS.intersection(words[last + 1 :])


def authorization_name(name: str) -> bool:
    """Whether it is the header that says who asks."""
    return _WORD.findall(name)[-1:] in (["authorization"], ["Authorization"], ["AUTHORIZATION"])


def leads_elsewhere(name: str) -> bool:
    """Whether a name in a mapping of secrets is of something beside them: `issuer`, `ttl`."""
    words = [each.lower() for each in _WORD.findall(name)]
    return bool(words) and words[-1] in _ABOUT_WORDS


def _names_a_secret(words: list[str], at: int) -> bool:
    word = words[at]
    if word in _SECRET_WORDS or word.endswith(_ENDINGS) or any(_nearly(word, each) for each in _MISSPELT):
        return True
    if word in _AT_THE_END:
        return at == len(words) - 1
    return word in _KEYS and at > 0 and words[at - 1] in _WORDS_OF_KEYS


def _nearly(word: str, meant: str) -> bool:
    """Whether it is the other with a letter more or less, with two swapped, or, where it is long, with another one."""
    if word[:1] != meant[0] or abs(len(word) - len(meant)) > 1:
        return False
    same = next((at for at, pair in enumerate(zip(word, meant, strict=False)) if pair[0] != pair[1]), len(meant))
    rest, other = word[same:], meant[same:]
    if len(word) != len(meant):
        return rest[1:] == other if len(word) > len(meant) else rest == other[1:]
    swapped = rest[:2] == other[1::-1] and rest[2:] == other[2:]
    return swapped or (len(meant) >= 8 and rest[1:] == other[1:])
