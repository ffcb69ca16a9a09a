"""The servers of the field: started on loopback, watched, and always stopped."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import venv

HERE = pathlib.Path(__file__).resolve().parent

# How long a server may take to start, in seconds; the others have packages to install.
PATIENCE = 30
PATIENCE_WITH_PACKAGES = 240
# How long one may take to stop, before it is killed.
PATIENCE_TO_STOP = 10

DOMAIN = "example.test"
USERS = ["user1", "user2", "user.three", "postmaster"]
PASSWORD = "secret1"
SIZE_LIMIT = "1 MiB"


class Missing(Exception):
    """Something that this machine does not have is needed."""


class Failed(Exception):
    """A server did not do what it was started for."""


class Server:
    """A process that listens, in a folder of its own below `target/peers`."""

    name = "server"
    # Its name in the matrix, if it is written otherwise, and whether it has a column there.
    title = None
    in_matrix = True
    # Whether it is asked in the garden if nobody says who is.
    in_garden = True
    version = ""
    # Its file of expectations, if it shares that of another.
    expected = None
    # What the suite is run as.
    profiles = ["default"]
    # Whether it is ours: then nothing but what its file of expectations says may be amiss.
    ours = False
    patience = PATIENCE
    # The names of its users and of nobody else are recipients.
    knows_its_users = True
    credentials = True
    # The name that one authenticates with.
    user = "user1"
    # Mail is taken only after AUTH.
    sign_in = False
    # It takes the suite for a front end or the like.
    trusted = False
    # Messages are stored as they came, without trace fields.
    as_received = False
    # A recipient whose mail fails after it was taken.
    failing = None
    # The port where it asks the suite for names.
    dns = None
    # Its process and its log may be watched.
    watched = False

    def __init__(self, binaries, target):
        self.binaries = binaries
        self.shared = target / "peers"
        self.shared.mkdir(parents=True, exist_ok=True)
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=self.shared))
        self.path.chmod(0o755)
        self.process = None
        self.ports = {}

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.path, ignore_errors=True)

    def command(self):
        """The command line that starts it."""
        raise NotImplementedError

    def arguments(self, profile):
        """What the suite is told beside the profile."""
        return []

    def start(self):
        """Starts it and waits until it listens."""
        self.launch()
        self.wait(lambda: self.listening(self.log()))

    def start_on_free_ports(self):
        """Starts it on ports that stand in its configuration: another process may be faster."""
        for attempt in range(3):
            self.ports = dict(zip(["address", "implicit_tls"], free_ports(2)))
            self.launch()
            try:
                return self.wait(lambda: all(map(greets, self.ports.values())))
            except Failed:
                self.stop()
                if attempt == 2 or not re.search("ddress already in use|EADDRINUSE", self.log()):
                    raise

    def launch(self):
        """Starts the process. It ends when its standard input does, or is killed."""
        command = [str(word) for word in self.command()]
        with open(self.path / "log", "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.path, stdin=subprocess.PIPE, stdout=log, stderr=log
            )

    def listening(self, log):
        """Whether it says where it listens; by their kind."""
        for port, kind in re.findall(r"listening on [\d.]+:(\d+)(.*)", log):
            implicit = "STARTTLS" not in kind and "TLS" in kind
            self.ports["implicit_tls" if implicit else "address"] = int(port)
        return self.is_complete()

    def is_complete(self):
        """Whether all listeners are known."""
        return "address" in self.ports

    def wait(self, ready):
        """Waits until `ready` says so."""
        deadline = time.monotonic() + self.patience
        while not ready():
            if self.process.poll() is not None:
                raise self.trouble(f"ended with {self.process.returncode}")
            if time.monotonic() > deadline:
                raise self.trouble(f"does not listen after {self.patience} s")
            time.sleep(0.05)

    def trouble(self, what):
        """The error that says `what`, and the end of the log."""
        missing = re.findall(r"missing: (.+)", self.log())
        if missing:
            return Missing(missing[-1])
        return Failed(f"{self.name} {what}:\n{self.log()[-2000:]}")

    def stop(self):
        """Ends it, by whatever it takes."""
        if not self.process:
            return
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE_TO_STOP if self.ends_with_input() else 0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE_TO_STOP)

    def ends_with_input(self):
        """Whether the end of its standard input ends it."""
        return True

    def log(self):
        """What it printed."""
        try:
            return (self.path / "log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def maildir(self, user):
        """The Maildir of a user."""
        return self.path / "mail" / user

    def describe(self):
        """Writes the target file for the suite; its path."""
        lines = [f'{key} = "127.0.0.1:{port}"' for key, port in sorted(self.ports.items())]
        recipients = ", ".join(f'"{user}@{DOMAIN}"' for user in USERS)
        lines.append(f"recipients = [{recipients}]")
        lines.append('tls_name = "mx.example.test"')
        lines.append(f'software = "{self.title or self.name} {self.version}"')
        if self.profiles == ["lmtp"]:
            lines.append(f'lmtp = "127.0.0.1:{self.ports["address"]}"')
        if self.sign_in:
            lines += ["sign_in = true", f'submission = "127.0.0.1:{self.ports["address"]}"']
        if self.dns:
            lines.append(f'dns = "127.0.0.1:{self.dns}"')
        if self.failing:
            lines.append(f'failing = "{self.failing}"')
        if self.watched:
            lines += [f"pid = {self.process.pid}", 'log = "log"']
        if self.trusted:
            lines.append("trusted = true")
        if self.as_received:
            lines.append("as_received = true")
        if self.knows_its_users:
            lines.append(f'unknown = "unknown@{DOMAIN}"')
            # Who has signed in is no stranger, and may write to everybody.
            if not self.sign_in:
                lines.append('foreign = "somebody@foreign.example"')
        if self.credentials:
            lines += ["[credentials]", f'user = "{self.user}"', f'password = "{PASSWORD}"']
        lines.append("[mailbox.maildir]")
        lines += [f'"{user}@{DOMAIN}" = "{self.maildir(user)}"' for user in USERS]
        path = self.path / "target.toml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def certificate(self):
        """Writes cert.pem and key.pem."""
        if not shutil.which("openssl"):
            raise Missing("openssl")
        names = ["-subj", "/CN=mx.example.test", "-addext", "subjectAltName=DNS:mx.example.test"]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", *names]
            + ["-keyout", self.path / "key.pem", "-out", self.path / "cert.pem"],
            check=True, capture_output=True, timeout=60,
        )
        # A throw-away key, which servers read as users of their own.
        (self.path / "key.pem").chmod(0o644)


class Packaged(Server):
    """A server from Debian's packages, in an overlay: see `overlay`."""

    patience = PATIENCE_WITH_PACKAGES
    failing = f"failing@{DOMAIN}"
    # Where its packages are kept, if they are those of another.
    archive = None

    @property
    def version(self):
        """That of its package, without what is Debian's: `2:1.11-2+b5` is 1.11."""
        package = (self.path / "version").read_text()
        return re.split("[-+~]", package.split(":")[-1])[0]

    def start(self):
        for tool in ("unshare", "apt-get"):
            if not shutil.which(tool):
                raise Missing(tool)
        self.certificate()
        self.start_on_free_ports()

    def command(self):
        as_root = []
        if os.geteuid() != 0:
            try:
                subprocess.run(["sudo", "-n", "true"], check=True, capture_output=True, timeout=10)
            except (OSError, subprocess.SubprocessError):
                raise Missing("root, to mount an overlay file system") from None
            as_root = ["sudo", "-n", "-E"]
        archives = self.shared / "archives" / (self.archive or self.name)
        archives.mkdir(parents=True, exist_ok=True)
        private = ["unshare", "--mount", "--pid", "--fork", "--propagation", "private"]
        # Root's mailboxes are no one's to write.
        user = os.geteuid() or 65534
        arguments = [self.name, self.path, archives, *self.ports.values(), user]
        return [*as_root, *private, HERE / "overlay", *arguments]


class Postfix(Packaged):
    """Postfix as Debian configures it."""

    name = "postfix"
    title = "Postfix"


class Exim(Packaged):
    """Exim, with all extensions that it has."""

    name = "exim"
    title = "Exim"


class PostfixNoBareNewline(Packaged):
    """Postfix as newer ones are by default: only CRLF.CRLF ends a message."""

    name = "postfix-no-bare-newline"
    title = "Postfix (no bare LF)"
    archive = "postfix"


class Sendmail(Packaged):
    """Sendmail; AUTH by Cyrus SASL."""

    name = "sendmail"
    title = "Sendmail"


class Opensmtpd(Packaged):
    """OpenSMTPD."""

    name = "opensmtpd"
    title = "OpenSMTPD"


class Dovecot(Packaged):
    """Dovecot's LMTP server."""

    name = "dovecot"
    title = "Dovecot"
    profiles = ["lmtp"]
    credentials = False
    # A failure is told in the dialogue.
    failing = None


class Chasquid(Packaged):
    """chasquid."""

    name = "chasquid"
    user = f"user1@{DOMAIN}"


class Courier(Packaged):
    """Courier."""

    name = "courier"
    title = "Courier"
    # After one failure it refuses the recipient for a while, so the order of cases would decide.
    failing = None

    def maildir(self, user):
        return super().maildir(user) / "Maildir"


class Aiosmtpd(Server):
    """aiosmtpd, from PyPI."""

    name = "aiosmtpd"
    version = "1.4.6"
    # It is a library: what is stored is its user's business.
    as_received = True

    def start(self):
        self.certificate()
        super().start()

    def is_complete(self):
        return len(self.ports) == 2

    @classmethod
    def install(cls, target):
        """The Python that has it, installed below `target` the first time."""
        return pypi_package(target / "peers", cls.name, cls.version)

    def command(self):
        return [self.install(self.shared.parent), HERE / "aio.py", self.path]


class SmtpServer(Server):
    """smtp-server, from npm."""

    name = "smtp-server"
    version = "3.21.6"
    # It is a library: what is stored is its user's business.
    as_received = True

    def start(self):
        self.certificate()
        super().start()

    def is_complete(self):
        return len(self.ports) == 2

    def command(self):
        modules = npm_package(self.shared, self.name, self.version)
        return ["node", HERE / "smtp-server.js", self.path, modules]


class Haraka(Server):
    """Haraka, from npm."""

    name = "haraka"
    title = "Haraka"
    version = "3.3.4"

    def start(self):
        self.certificate()
        self.start_on_free_ports()

    def ends_with_input(self):
        return False

    def command(self):
        modules = npm_package(self.shared, "Haraka", self.version, "--before=2026-10-15")
        # As `haraka -i` does: its configuration, and what is ours above it.
        for config in (modules / "Haraka" / "config", HERE / "haraka" / "config"):
            shutil.copytree(config, self.path / "config", dirs_exist_ok=True)
        shutil.copytree(HERE / "haraka" / "plugins", self.path / "plugins", dirs_exist_ok=True)
        ports = self.ports["address"], self.ports["implicit_tls"]
        self.replace("smtp.ini", "@PORT@", str(ports[0]), "@TLS_PORT@", str(ports[1]))
        self.replace("connection.ini", "bytes=26214400", "bytes=1048576")
        for name in ("cert.pem", "key.pem"):
            shutil.copy(self.path / name, self.path / "config" / name)
        return ["node", modules / "Haraka" / "bin" / "haraka", "-c", self.path]

    def replace(self, name, *words):
        """Replaces words in a file of its configuration, each by the one behind it."""
        path = self.path / "config" / name
        text = path.read_text()
        for old, new in zip(words[::2], words[1::2]):
            text = text.replace(old, new)
        path.write_text(text)


def pypi_package(shared, name, version):
    """The Python that has it, installed below `shared` the first time."""
    place = shared / f"{name}-{version}"
    python = place / "bin" / "python"
    if not (place / "complete").exists():
        package = f"{name}=={version}"
        try:
            venv.create(place, with_pip=True, clear=True)
            subprocess.run(
                [python, "-m", "pip", "install", "-q", package],
                check=True, capture_output=True, timeout=PATIENCE_WITH_PACKAGES,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Missing(f"{package} from PyPI, or python3-venv ({error})") from None
        (place / "complete").touch()
    return python


def npm_package(shared, name, version, *more):
    """The folder of modules that has it, installed below `shared` the first time."""
    place = shared / f"{name}-{version}"
    if not (place / "complete").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--omit=optional", *more]
        try:
            subprocess.run(
                [*install, "--prefix", place, f"{name}@{version}"], stdin=subprocess.DEVNULL,
                check=True, capture_output=True, timeout=PATIENCE_WITH_PACKAGES,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Missing(f"{name}@{version} from npm, or node and npm ({error})") from None
        (place / "complete").touch()
    return place / "node_modules"


def free_ports(count):
    """Ports of loopback on which nobody listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def greets(port, address="127.0.0.1"):
    """Whether somebody listens there."""
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


# Those of the suite, by how common they are.
ALL = (
    Postfix, PostfixNoBareNewline, Exim, Sendmail, Opensmtpd, Dovecot, Courier, Chasquid, Aiosmtpd,
    SmtpServer, Haraka,
)
