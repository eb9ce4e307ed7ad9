"""The words of settings, one for each thing, and the answers to other spellings.

Built-in providers use a word of `WORDS` wherever they have the thing, and call nothing else by it. Who spells it as an
SDK, an earlier release or another project does is answered with the word. `ANSWERS` are for what one provider has by
another name, or has not at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from oneiric_compiler.diagnostics.edits import renaming
from oneiric_compiler.model import Candidate
from oneiric_compiler.tables.builtins import is_builtin


class Word(NamedTuple):
    """What a setting is called, the type of its parameter, what it means, and its spellings elsewhere."""

    name: str
    type: str
    meaning: str
    elsewhere: str = ""


WORDS = (
    Word("url", "str", "where the server is, in one text", "database_url dsn uri"),
    Word("host", "str", "the server's name or address", "hostname"),
    Word("port", "int", "the server's port"),
    Word("user", "str", "the user name", "username"),
    Word("password", "Secret", "the password of that user", "passwd"),
    Word("database", "str", "the database of the server", "dbname"),
    Word("tls", "bool", "encrypt, and check the server's certificate and name", "ssl use_ssl use_tls"),
    Word(
        "ca_file",
        "Path",
        "a file of certificates to trust, instead of those the system trusts",
        "ca_certs cafile certificate_file ssl_ca ssl_ca_certs sslrootcert tls_ca_certs",
    ),
    Word(
        "timeout",
        "float",
        "seconds for one call",
        "command_timeout export_timeout_seconds http_timeout operation_timeout request_timeout socket_timeout "
        "statement_timeout timeout_seconds",
    ),
    Word("connect_timeout", "float", "seconds to connect", "connection_timeout socket_connect_timeout"),
    Word("healthcheck_timeout", "float", "seconds for a health check", "health_timeout"),
    Word(
        "max_connections",
        "int",
        "how many connections are open at most",
        "max_connection_pool_size max_pool_size max_size maxsize pool_size",
    ),
    Word("min_connections", "int", "how many connections are opened at the start", "min_pool_size min_size minsize"),
    Word("client_name", "str", "the name that the server shows for this client", "application_name name program_name"),
    Word("retries", "int", "how many further attempts a call has", "max_retries"),
    Word("default_ttl", "float", "seconds an entry lives when its writer does not say", "ttl ttl_seconds"),
    Word("cache_ttl", "float", "seconds that what was read is kept", "cache_ttl_seconds"),
    Word("export_interval", "float", "seconds from one sending to the next", "export_interval_seconds"),
    Word("breaker_recovery", "float", "seconds that an origin which fails is left alone", "breaker_seconds"),
)

_NOT_INSTRUMENTED = "nothing of the process is instrumented: remove it"
_RECONNECTS = "the next call connects again, within `connect_timeout`: remove it"
_WAIT_BY_CALL = "who calls `consume` says how long to wait, in seconds: remove it"
_DEFAULT_EXCHANGE = "messages go to `queue` by the default exchange: remove it"
_HEALTH_OF_CREDENTIALS = "that credentials are taken is what a health check asks: remove it"
_BY_TOKEN = "a key signs tokens, and certificates are not used: remove it"
_DEVICE_BY_CALL = "each call names its device: remove it"
_BY_PUT = "`put` takes the content type: remove it"
_NO_PUBSUB = "messages go through the stream alone: remove it"
_RETRY_LAYER = "the layer `retry` tries again: `layers: {embedding: [retry]}`"
_LIMIT_LAYER = "the layer `limit` holds calls back: `layers: {embedding: [limit]}`"
_WHOLE = "a text is embedded whole, and `TooLong` where the model does not read all of it: remove it"
_UNIT = "vectors always have the length 1: remove it"
_EMBEDDED_WHOLE = {
    "chunk_overlap": _WHOLE,
    "chunk_size": _WHOLE,
    "normalization": _UNIT,
    "normalize_embeddings": _UNIT,
}
_IN_SEVERAL = "what is too much for one request is sent in several: remove it"
_INDEX_EXISTS = "the index must exist, and is not made: remove it"
_SERVER_INDEX = "the server's own settings say how it indexes and keeps vectors: remove it"
_ONLY_HTTP = "the server is asked over HTTP, at `url`: remove it"
_BY_CALL = "each call says it: remove it"
_FEW_OPTIONS = "a call has `max_tokens`, `temperature` and `stop`, which all models have: remove it"
_NO_THINKING = "models think as they do by themselves: remove it"
_OF_DOMAIN = "the domain's own settings at Mailgun say so: remove it"
_NO_TAGS = "an email is not tagged: remove it"
_SENDS_NOTHING = "`memory` sends nothing: remove it"
_MAILS = {
    "default_headers": "each email has its `headers`: remove it",
    "from_email": "`from_email` is called `sender` here",
    "from_name": "`sender` has it: `Shop <shop@example.org>`",
}
_CHATS = {
    "frequency_penalty": _FEW_OPTIONS,
    "function_call": _BY_CALL,
    "functions": _BY_CALL,
    "logit_bias": _FEW_OPTIONS,
    "logprobs": _FEW_OPTIONS,
    "max_retries": _RETRY_LAYER.replace("embedding", "llm"),
    "n": "a call has one reply: remove it",
    "presence_penalty": _FEW_OPTIONS,
    "response_format": "a call has a `schema`: remove it",
    "seed": _FEW_OPTIONS,
    "stop": _BY_CALL,
    "stream": "who calls says so: `chat` or `stream`: remove it",
    "tool_choice": _BY_CALL,
    "tools": _BY_CALL,
    "top_logprobs": _FEW_OPTIONS,
    "top_p": _FEW_OPTIONS,
    "user": _FEW_OPTIONS,
}

ANSWERS = {
    "action/security.secure/builtin-security-secure": {
        "include_symbols": "tokens have letters, digits, `-` and `_`: remove it",
    },
    "cache/redis": {
        "decode_responses": "values are bytes, whatever it says: remove it",
        "client_cache_max_idle_seconds": "entries are kept until the server says that they changed: remove it",
        "stampede_jitter_ms": "entries live exactly as long as their ttl says: remove it",
    },
    "chat/slack": {
        "default_channel": "`default_channel` is called `channel` here",
        "default_icon_emoji": "a bot has the icon of its app: remove it",
        "default_username": "a bot has the name of its app: remove it",
    },
    "chat/teams": {"default_theme_color": "the level of a notice says the colour: remove it"},
    "chat/webhook": {
        "headers": "a `token` is sent as `Authorization: Bearer …`, and no other header: remove it",
        "method": "notices are always posted: remove it",
        "url": "`url` is called `webhook_url` here",
    },
    "database/duckdb": {
        "database_url": "`database_url` is called `path` here: `data/app.duckdb`, not `duckdb:///data/app.duckdb`",
        "pragmas": "`pragmas` is called `config` here",
        "temp_directory": "`config` holds it: `config: {temp_directory: …}`",
        "extensions": "load them by a statement: `LOAD …`",
    },
    "database/mysql": {
        "autocommit": "a statement outside a transaction is always committed: remove it",
        "charset": "it is always utf8mb4: remove it",
    },
    "database/postgres": {
        "statement_timeout_ms": "`statement_timeout_ms` is called `timeout` here, and is in seconds",
    },
    "database/sqlite": {
        "isolation_level": "transactions begin and end where the port says so: remove it",
        "timeout": "`timeout` is called `lock_timeout` here: a call has no limit of its own",
    },
    "embedding/onnx": {"max_length": "`max_length` is called `max_tokens` here", **_EMBEDDED_WHOLE},
    "embedding/openai": {
        "encoding_format": "vectors are lists of numbers, however they travel: remove it",
        "max_retries": _RETRY_LAYER,
        "max_tokens_per_batch": _IN_SEVERAL,
        "requests_per_minute": _LIMIT_LAYER,
        "tokens_per_minute": _LIMIT_LAYER,
        **_EMBEDDED_WHOLE,
    },
    "embedding/sentence-transformers": {
        "model_name": "`model_name` is called `model` here",
        **_EMBEDDED_WHOLE,
    },
    "llm/anthropic": {
        "anthropic_api_key": "`anthropic_api_key` is called `api_key` here",
        "thinking_budget_tokens": _NO_THINKING,
        "thinking_enabled": _NO_THINKING,
        "top_k": _FEW_OPTIONS,
        **_CHATS,
    },
    "llm/ollama": {"host": "`host` is called `base_url` here", **_CHATS},
    "llm/openai": {
        "openai_api_key": "`openai_api_key` is called `api_key` here",
        "openai_base_url": "`openai_base_url` is called `base_url` here",
        "openai_organization": "`openai_organization` is called `organization` here",
        **_CHATS,
    },
    "monitoring/logfire": {
        "enable_system_metrics": _NOT_INSTRUMENTED,
        "instrument_httpx": _NOT_INSTRUMENTED,
        "instrument_pydantic": _NOT_INSTRUMENTED,
    },
    "monitoring/otel-otlp": {"insecure": "`endpoint` says so: `http://…` is without TLS, `https://…` with it"},
    "email/mailgun": {
        **_MAILS,
        "region": "`base_url` says so: `https://api.eu.mailgun.net/v3`",
        "require_tls": _OF_DOMAIN,
        "skip_verification": _OF_DOMAIN,
        "click_tracking": _OF_DOMAIN,
        "tags": _NO_TAGS,
        "test_mode": _SENDS_NOTHING,
    },
    "email/sendgrid": {
        **_MAILS,
        "categories": _NO_TAGS,
        "default_custom_args": _NO_TAGS,
        "sandbox_mode": _SENDS_NOTHING,
    },
    "monitoring/sentry": {
        "enable_tracing": "`traces_sample_rate` above 0 sends spans",
        "include_context_tags": "what is recorded has the attributes it is given: remove it",
        "profiles_sample_rate": "profiles are not sent: remove it",
        "send_default_pii": "nothing about persons is sent: remove it",
    },
    "push/apns": {
        "auth_key": "`auth_key` is called `private_key` here",
        "auth_key_path": "the text of the file is a secret: `private_key: ${ONEIRIC_SECRET_…}`",
        "cert_file": _BY_TOKEN,
        "client_kwargs": "there is no SDK: remove it",
        "default_device_token": _DEVICE_BY_CALL,
        "key_file": _BY_TOKEN,
        "key_password": _BY_TOKEN,
        "use_sandbox": "`url` says so: `https://api.sandbox.push.apple.com`",
    },
    "push/fcm": {
        "app_name": "there is no SDK: remove it",
        "default_device_token": _DEVICE_BY_CALL,
        "project_id": "`project_id` is called `project` here",
    },
    "push/webpush": {
        "default_subscription_info": _DEVICE_BY_CALL,
        "ttl": "each push says it: remove it",
        "vapid_claims_subject": "`vapid_claims_subject` is called `subject` here",
        "vapid_private_key": "`vapid_private_key` is called `private_key` here",
        "vapid_private_key_path": "the text of the file is a secret: `private_key: ${ONEIRIC_SECRET_…}`",
    },
    "queue/nats": {"max_reconnect_attempts": _RECONNECTS, "reconnect_time_wait": _RECONNECTS},
    "queue/rabbitmq": {
        "consume_timeout": _WAIT_BY_CALL,
        "credentials_secret": "`url` may be a reference: `${ONEIRIC_SECRET_…}`; or set `user` and `password`",
        "durable": "the queue always outlives the server: remove it",
        "exchange": _DEFAULT_EXCHANGE,
        "passive": "the queue is made when missing, and refused when declared otherwise: remove it",
        "prefetch_count": "a process is sent only what a consumer waits for: remove it",
        "reconnect_interval": _RECONNECTS,
        "routing_key": _DEFAULT_EXCHANGE,
        "ssl": "`url` says so: `amqps://…`",
        "ssl_options": "`url` says `amqps://…`, and `ca_file` whom to trust",
    },
    "queue/redis-streams": {
        "auto_create_group": "the group is always made when missing: remove it",
        "block_ms": _WAIT_BY_CALL,
        "consumer": "who has a message is known by when it took it: remove it",
        "consumer_buffer_size": _NO_PUBSUB,
        "maxlen": "messages stay until they are consumed: remove it",
        "pubsub_channel_prefix": _NO_PUBSUB,
    },
    "nosql/dynamodb": {
        "consistent_reads": "reads are always consistent: remove it",
        "table_name": "`table_name` is called `table` here",
    },
    "secrets/aws-secret-manager": {"healthcheck_secret": _HEALTH_OF_CREDENTIALS},
    "secrets/gcp-secret-manager": {
        "default_version": "`default_version` is called `version` here",
        "healthcheck_secret": _HEALTH_OF_CREDENTIALS,
        "project_id": "`project_id` is called `project` here",
    },
    "secrets/infisical": {
        "base_url": "`base_url` is called `url` here",
        "project_id": "`project_id` is called `project` here",
        "secret_path": "`secret_path` is called `path` here",
    },
    "secrets/keyring": {
        "key_prefix": "`key_prefix` is called `prefix` here",
        "service_name": "`service_name` is called `service` here",
    },
    "sms/twilio": {
        "api_version": "it is always 2010-04-01: remove it",
        "default_status_callback": "the messaging service has one: remove it",
        "dry_run": _SENDS_NOTHING,
    },
    "storage/azure-blob": {"default_content_type": _BY_PUT},
    "storage/gcs": {"default_content_type": _BY_PUT},
    "storage/s3": {
        "healthcheck_key": "health lists one object: remove it",
        "use_accelerate_endpoint": "transfer acceleration is not used: remove it",
    },
    "vector/pinecone": {
        "batch_size": _IN_SEVERAL,
        "cloud": _INDEX_EXISTS,
        "default_dimension": "the index says how many numbers a vector has: remove it",
        "environment": _INDEX_EXISTS,
        "index_name": "`index_name` is called `index` here",
        "metric": "the index must be of cosine: remove it",
        "pod_type": _INDEX_EXISTS,
        "region": _INDEX_EXISTS,
        "replicas": _INDEX_EXISTS,
        "serverless": _INDEX_EXISTS,
        "shards": _INDEX_EXISTS,
        "upsert_batch_size": _IN_SEVERAL,
        "upsert_max_retries": _RETRY_LAYER.replace("embedding", "vector"),
        "upsert_timeout": "`upsert_timeout` is called `timeout` here",
    },
    "vector/qdrant": {
        "batch_size": _IN_SEVERAL,
        "default_collection": "`default_collection` is called `collection` here",
        "default_dimension": "`default_dimension` is called `dimension` here",
        "enable_quantization": _SERVER_INDEX,
        "grpc_port": _ONLY_HTTP,
        "hnsw_config": _SERVER_INDEX,
        "https": "`url` says so: `https://…`",
        "on_disk_vectors": _SERVER_INDEX,
        "prefer_grpc": _ONLY_HTTP,
        "quantization_config": _SERVER_INDEX,
    },
}

_CALLED = re.compile(r"`\w+` is called `(\w+)` here")
_ELSEWHERE = {other: word.name for word in WORDS for other in word.elsewhere.split()}


def answer(candidate: Candidate, setting: str, known: Collection[str]) -> str | None:
    """What to say of a setting that a candidate does not know by this name, if others call a thing so.

    `known` are the settings it has.
    """
    domain = "" if candidate.key.domain == "adapter" else f"{candidate.key.domain}/"
    name = f"{domain}{candidate.key.name}/{candidate.provider}"
    if is_builtin(candidate.factory) and (said := ANSWERS.get(name, {}).get(setting)):
        called = _CALLED.fullmatch(said)
        return renaming(said, setting, called[1]) if called else said
    word = _ELSEWHERE.get(setting)
    return renaming(f"`{setting}` is called `{word}` here", setting, word) if word and word in known else None
