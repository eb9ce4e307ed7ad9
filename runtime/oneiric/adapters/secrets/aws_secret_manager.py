"""Secrets provider `aws-secret-manager`: the AWS Secrets Manager of an account and region."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from oneiric import Secret, component
from oneiric.adapters._common.aws import Account, Service, answer_of, code_of
from oneiric.adapters._common.network import Faults
from oneiric.adapters.secrets import (
    Names,
    SecretsClosed,
    SecretsMisconfigured,
    SecretsRefused,
    SecretsUnavailable,
)
from oneiric.adapters.secrets._served import NoneThere, ServedEach

_PROVIDER = "aws-secret-manager"
_FAULTS = Faults(_PROVIDER, SecretsUnavailable, SecretsRefused, SecretsMisconfigured)
_PREFIX = re.compile(r"[\w/+=.@-]{0,384}", re.ASCII)
_STAGE = re.compile(r"[\x20-\x7e]{1,256}")


@component(
    "adapter",
    "secrets",
    provider="aws-secret-manager",
    priority=0,
    stack_level=-20,
    capabilities=("read", "refresh"),
    port="oneiric.adapters.secrets:Secrets",
)
class AWSSecretManagerSecrets(ServedEach):
    """Reads secrets of an account, each by itself.

    Needs an account of AWS; the extra `secrets-aws-secret-manager`.

    `region`: the region that has the secrets; by default what the environment or the profile says.
    `endpoint_url`: `https://HOST:PORT` of another server than Amazon's.
    `access_key_id`: who signs; without it, what the environment, the profile or the machine's role gives.
    `secret_access_key`: the secret of that key.
    `session_token`: the token that a temporary key comes with.
    `profile_name`: a profile of the files in `~/.aws`, instead of a key.
    `version_stage`: which version is read, by its staging label.
    `prefix`: what the name of a secret begins with there.
    `cache_ttl`: seconds that what was read is kept; 0 for not at all.
    `ca_file`: a file of certificates to trust, instead of those that botocore brings.
    `timeout`: seconds to connect, for one call, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: Secret | None = None,
        session_token: Secret | None = None,
        profile_name: str | None = None,
        version_stage: str = "AWSCURRENT",
        prefix: str = "",
        cache_ttl: float = 60.0,
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise _FAULTS.no_sense("has other characters than letters, digits and `/_+=.@-`, or too many", "prefix")
        if not _STAGE.fullmatch(version_stage):
            raise _FAULTS.no_sense("is not 1 to 256 characters of ASCII", "version_stage")
        self._service = Service(
            "secretsmanager",
            Account(region, endpoint_url, access_key_id, secret_access_key, session_token, profile_name, ca_file),
            _FAULTS,
            SecretsClosed,
            _said,
            timeout=timeout,
            max_connections=max_connections,
        )
        self._version_stage = version_stage
        names = Names(_PROVIDER, prefix)
        super().__init__(_FAULTS, self._service, names, cache_ttl=cache_ttl, healthcheck_timeout=healthcheck_timeout)

    async def _ask_health(self) -> None:
        """Who may read secrets may not list them: what counts is that the signature is good."""
        with suppress(_Denied):
            await self._service.ask("list_secrets", seconds=self._healthcheck_timeout, MaxResults=1)

    async def _read(self, place: str) -> Secret:
        try:
            answer = await self._service.ask(
                "get_secret_value", place, SecretId=place, VersionStage=self._version_stage
            )
        except _Denied:
            raise _FAULTS.no_entry(f"{place} may not be read with these credentials", "access_key_id") from None
        text = _text(answer)
        if text is None:
            raise _FAULTS.no_answer(f"{place} is not text", "prefix")
        if not text:
            raise NoneThere(f"{place} is empty")
        return Secret(text)


class _Denied(SecretsRefused):
    """The credentials are good, and may not do this."""


def _text(answer: Any) -> str | None:
    match answer:
        case {"SecretString": str(text)}:
            return text
        case {"SecretBinary": bytes(data)}:
            with suppress(UnicodeDecodeError):
                return data.decode()
        case _:
            pass
    return None


def _said(error: ClientError, place: str) -> Exception | None:
    """The port's error for what this service alone answers."""
    match code_of(error):
        case "AccessDenied" | "AccessDeniedException":
            return _Denied(answer_of(error), provider=_PROVIDER, setting="access_key_id")
        case "ResourceNotFoundException" if place:
            return NoneThere(f"the region has no {place} of this version")
        case "InvalidRequestException" if place:
            return NoneThere(f"{place} is to be deleted, or has no value yet")
        case "DecryptionFailure":
            return _FAULTS.no_entry(
                f"{place} cannot be decrypted: its key is not there for these credentials", "access_key_id"
            )
        case _:
            return None
