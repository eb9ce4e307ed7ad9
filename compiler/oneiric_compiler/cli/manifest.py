"""`oneiric manifest`: keys, signatures, verification, and this project's own components for others."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oneiric_compiler.cli.errors import CommandError, compiler_extra
from oneiric_compiler.cli.output import log, result, result_json, result_text, warn
from oneiric_compiler.cli.processes import Json
from oneiric_compiler.cli.progress import working
from oneiric_compiler.text.paint import Line
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric_compiler.manifests.signing import Signed
    from oneiric_compiler.manifests.verify import Manifest, Rejected

MAX_BYTES, MAX_ENTRIES = 32 * 1024 * 1024, 1_000_000
KEYS = "ONEIRIC_TRUSTED_PUBLIC_KEYS"
SEED_FILE = Path("oneiric.key")

app = typer.Typer(no_args_is_help=True, help="Signed manifests: keys, signing, verifying, exporting.")
File = Annotated[Path, typer.Argument(metavar="FILE", help="A manifest, JSON or YAML.")]


@app.command()
def keygen(
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the private key goes; `-` is stdout.", show_default=True)
    ] = SEED_FILE,
    json: Json = False,
) -> None:
    """Make a key: the private one into a file that only you can read, the public one to stdout."""
    if json and str(out) == "-":
        raise CommandError("`--out -` writes the private key to stdout: leave out --json")
    with compiler_extra("manifest keygen"):
        from oneiric_compiler.manifests import keys

        seed = keys.new_seed()
        public = keys.show_key(keys.public_of(seed))
    if str(out) == "-":
        result_text(f"{keys.show_key(seed)}\n")
        log([[("public key ", "dim"), (public, "plain")]])
        return
    try:
        keys.write_seed_file(out, seed)
    except FileExistsError as error:
        raise CommandError(f"{out} exists: a key is never written over", help="name another file with --out") from error
    if json:
        result_json({"format": "oneiric.manifest-keygen/1", "public_key": public, "file": str(out)})
        return
    result_text(f"{public}\n")
    log([[("written ", "green"), (f"{out}: keep it secret, and out of version control", "plain")]])


@app.command()
def sign(
    file: File,
    key: Annotated[Path, typer.Option(metavar="KEYFILE", help="Your private key, of `manifest keygen`.")],
    expires_at: Annotated[
        str | None, typer.Option(metavar="TIME", help='When it expires, such as "2027-01-31T12:00:00Z".')
    ] = None,
    version: Annotated[int | None, typer.Option(metavar="N", min=0, help="Its version, which only grows.")] = None,
    json: Json = False,
) -> None:
    """Add your signature to a manifest, in place; those of others stay while what they signed does."""
    with compiler_extra("manifest sign"):
        from oneiric.files import put

        from oneiric_compiler.manifests import signing
        from oneiric_compiler.manifests.verify import NotAManifest, Rejected

    data, seed = _read(file), seed_of(key)
    try:
        signed = signing.sign(
            data,
            seed,
            now=datetime.now(UTC),
            version=version,
            expires_at=None if expires_at is None else _time(expires_at),
            max_bytes=MAX_BYTES,
            max_entries=MAX_ENTRIES,
        )
    except NotAManifest as error:
        raise CommandError(f"{file} is not a manifest: {error}") from error
    except Rejected as error:
        raise CommandError(f"{file} would be rejected by the rule `{error.rule}`: {error.message}") from error
    put(file.resolve(), signed.data)
    if json:
        result_json(_signed_document(file, signed))
    else:
        _tell(file, signed)


@app.command()
def verify(
    file: File,
    key: Annotated[
        list[str] | None, typer.Option(metavar="BASE64", help=f"A trusted public key, once for each (default: {KEYS}).")
    ] = None,
    threshold: Annotated[int, typer.Option(metavar="N", min=1, help="How many of the keys must have signed.")] = 1,
    json: Json = False,
) -> None:
    """Check a manifest's signatures and expiry: 0 verified, 1 rejected, 2 not a manifest."""
    with compiler_extra("manifest verify"):
        from oneiric_compiler.manifests import verify as verifying

    keys = _keys(key)
    if threshold > len(keys):
        raise CommandError(f"--threshold {threshold}, and {len(keys)} distinct keys given")
    policy = verifying.Policy(
        keys=keys,
        threshold=threshold,
        unversioned=True,
        now=datetime.now(UTC),
        max_bytes=MAX_BYTES,
        max_entries=MAX_ENTRIES,
    )
    data = _read(file)
    try:
        with compiler_extra("manifest verify"):
            manifest = verifying.verify(data, policy)
    except verifying.NotAManifest as error:
        raise CommandError(f"{file} is not a manifest: {error}") from error
    except verifying.Rejected as error:
        if json:
            result_json(_verified_document(None, error))
        else:
            result(_rejected(error))
        raise typer.Exit(1) from error
    if json:
        result_json(_verified_document(manifest, None))
    else:
        result(_verified(manifest))


@app.command()
def export(
    context: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file to write: JSON if it ends in .json (default: YAML to stdout)."),
    ] = None,
    json: Json = False,
) -> None:
    """Write this project's own components as an unsigned manifest."""
    with compiler_extra("manifest export"):
        from oneiric.files import put

        from oneiric_compiler.cli import projects
        from oneiric_compiler.diagnostics.found import Diagnostics
        from oneiric_compiler.manifests import export as exporting
        from oneiric_compiler.pipeline import gather

    diagnostics = Diagnostics()
    project = projects.project_at(context.obj)
    with working("reading the project"):
        inputs = gather(project, diagnostics)
    if inputs is None or diagnostics.failed:
        raise projects.failed(diagnostics, project.root, json=json)
    manifest = exporting.export(inputs.settings.app.name, inputs.catalog)
    text = exporting.render(manifest, as_json=out is not None and out.suffix == ".json")
    if out is not None:
        put(out.resolve(), text.encode())
    if json:
        file = None if out is None else str(out)
        result_json({"format": "oneiric.manifest-export/1", "file": file, "manifest": manifest})
    elif out is None:
        result_text(text)
    else:
        result([[("written ", "green"), (f"{out}: {_counted(len(manifest['entries']))}", "plain")]])


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def seed_of(key: Path) -> bytes:
    """The private key in a file. Raises `CommandError`, which shows nothing of it."""
    from oneiric_compiler.manifests.keys import BadKey, read_seed_file

    try:
        seed = read_seed_file(key)
    except BadKey as error:
        help = "it holds base64 of 32 bytes; `oneiric manifest keygen` makes one"
        raise CommandError(f"{key} is not a private key: {error}", help=help) from error
    if key.stat().st_mode & 0o077:
        warn(f"{key} can be read by others: `chmod 600` it")
    return seed


def _keys(given: list[str] | None) -> tuple[str, ...]:
    """The distinct trusted keys, each as it is written."""
    from oneiric_compiler.manifests.keys import BadKey, read_public_key, show_key

    listed = given or [os.environ.get(KEYS, "")]
    texts = [text.strip() for each in listed for text in each.split(",") if text.strip()]
    if not texts:
        raise CommandError("no trusted key", help=f"give --key BASE64, or set {KEYS}")
    try:
        return tuple(dict.fromkeys(show_key(read_public_key(text)) for text in texts))
    except BadKey as error:
        where = "--key" if given else KEYS
        raise CommandError(f"a key of {where} is not a public key: {error}", help="base64 of 32 bytes") from error


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CommandError(f"`{text}` is not a valid time", help='ISO 8601, such as "2027-01-31T12:00:00Z"') from error


def _tell(file: Path, signed: Signed) -> None:
    result([[("signed ", "green"), (str(file), "plain")]])
    for each in signed.stale:
        warn(f"removed the signature of {each}: it is not of this content")
    for each in signed.unchecked:
        warn(f"kept the signature of {each} unchecked: its key_id is not its public key")
    if signed.version is None:
        warn("it has no version: whoever uses it must say `unversioned: true`; --version N sets one")
    if signed.expires_at is None:
        warn("it never expires: --expires-at TIME limits what an old copy is good for")


def _signed_document(file: Path, signed: Signed) -> dict[str, object]:
    return {
        "format": "oneiric.manifest-sign/1",
        "file": str(file),
        "version": signed.version,
        "expires_at": _shown(signed.expires_at) or None,
        "removed": [*signed.stale],
        "unchecked": [*signed.unchecked],
    }


def _verified_document(manifest: Manifest | None, error: Rejected | None) -> dict[str, object]:
    """Format `oneiric.manifest-verify/1`: the manifest's facts, or the rule that rejects it."""
    facts = rejected = None
    if manifest is not None:
        facts = {
            "source": manifest.source or None,
            "entries": len(manifest.entries),
            "version": manifest.version,
            "signers": [*manifest.signers],
            "signed_at": _shown(manifest.signed_at) or None,
            "not_before": _shown(manifest.not_before) or None,
            "expires_at": _shown(manifest.expires_at) or None,
            "digest": manifest.digest,
        }
    if error is not None:
        rejected = {"rule": error.rule, "message": error.message, "help": error.help}
    return {"format": "oneiric.manifest-verify/1", "ok": error is None, "manifest": facts, "rejected": rejected}


def _rejected(error: Rejected) -> list[Line]:
    lines: list[Line] = [[("rejected ", "red"), (f"{error.rule}: ", "bold"), (visible(error.message), "plain")]]
    if error.help:
        lines.append([("  = ", "blue"), ("help", "bold"), (f": {visible(error.help)}", "plain")])
    return lines


def _verified(manifest: Manifest) -> list[Line]:
    facts = (
        ("source", manifest.source or "not named"),
        ("entries", str(len(manifest.entries))),
        ("version", "none" if manifest.version is None else str(manifest.version)),
        ("signed by", ", ".join(manifest.signers)),
        ("signed at", _shown(manifest.signed_at) or "not said"),
        ("not before", _shown(manifest.not_before)),
        ("expires at", _shown(manifest.expires_at) or "never"),
        ("sha256", manifest.digest),
    )
    lines: list[Line] = [[("verified", "green")]]
    lines.extend([(f"  {name:<10} ", "dim"), (visible(value), "plain")] for name, value in facts if value)
    return lines


def _shown(time: datetime | None) -> str:
    return "" if time is None else time.isoformat().replace("+00:00", "Z")


def _counted(entries: int) -> str:
    return f"{entries} {'entry' if entries == 1 else 'entries'}"
