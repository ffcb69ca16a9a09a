"""The senders of the field: where they are found, and how the suite is run on each."""

import contextlib
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEERS = HERE.parent / "peers"
sys.path.insert(0, str(PEERS))

from servers import Failed, Missing, npm_package, pypi_package  # noqa: E402

# How long a run of the suite may take, in seconds. Mail servers are installed first, and are waited
# for behind each message.
PATIENCE = 300
PATIENCE_WITH_PACKAGES = 600

CLIENT = "cargo build --release -p smtp-client --examples --features tokio,smol"
LETTRE = "cargo build --manifest-path conformance/senders/lettre/Cargo.toml --target-dir"
WORKSPACE = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
CHUNKING = "-chunking"


class Sender:
    """A client that is a command."""

    # Whether it is ours: then nothing but what its file of expectations says may be amiss.
    ours = False
    # Its name in the matrix, if it is written otherwise.
    title = None
    # Whether it takes minutes: then it begins first.
    slow = False

    def __init__(self, name, place):
        self.name = name
        self.place = place

    def version(self):
        """The version that it says it has; or raises Missing."""
        said = subprocess.run([program(self.name), "--version"], capture_output=True, text=True)
        return re.search(r"\d[\d.]*", said.stdout)[0]

    def paths(self):
        """What is put into the environment of the suite; or raises Missing."""
        return {}

    def judge(self, arguments):
        """Runs the suite with these arguments: its exit code, and what it printed."""
        software = f"{self.title or self.name} {self.version()}"
        command = [self.place.suite(), *arguments, "--software", software]
        command += ["--sender", HERE / f"{self.name}.toml"]
        paths = {**os.environ, **{key: str(value) for key, value in self.paths().items()}}
        return self.place.run(command, PATIENCE, env=paths)


class Swaks(Sender):
    """swaks, which speaks TLS through a module of Perl's that its package only recommends."""

    def version(self):
        perl = [program("perl"), "-MNet::SSLeay", "-e1"]
        if subprocess.run(perl, capture_output=True).returncode != 0:
            raise Missing("libnet-ssleay-perl")
        return super().version()


class Smtplib(Sender):
    """The module of Python's own, which has Python's version."""

    def version(self):
        program("python3")
        return platform.python_version()


class Python(Sender):
    """A package of PyPI's."""

    pinned = {"aiosmtplib": "5.1.3"}

    def version(self):
        return self.pinned[self.name]

    def paths(self):
        python = pypi_package(self.place.senders, self.name, self.version())
        return {"PATH": f"{python.parent}:{os.environ['PATH']}"}


class Node(Sender):
    """A package of npm's."""

    pinned = {"nodemailer": "10.6.0"}

    def version(self):
        return self.pinned[self.name]

    def paths(self):
        program("node")
        return {"NODE_PATH": npm_package(self.place.senders, self.name, self.version())}


class Built(Sender):
    """A program of this repository: in this folder, of this name, and made by this command."""

    folder = None
    binary = None
    build = None

    def paths(self):
        if not shutil.which(self.binary, path=self.folder):
            raise Missing(self.build)
        return {"PATH": f"{self.folder}:{os.environ['PATH']}"}


class Ours(Built):
    """A program that sends by our client."""

    ours = True

    def version(self):
        return WORKSPACE["version"]


class Client(Ours):
    """An example of our client on one of its runtimes, perhaps by BDAT."""

    def __init__(self, name, place):
        super().__init__(name, place)
        self.binary = name.removesuffix(CHUNKING)
        self.folder = place.binaries / "examples"
        self.build = CLIENT
        bdat = ", BDAT" if name.endswith(CHUNKING) else ""
        self.title = f"smtp-client ({name.split('-')[0]}{bdat})"


class Mta(Ours):
    """Our mail server, which sends from its queue."""

    slow = True

    def __init__(self, name, place):
        super().__init__(name, place)
        self.binary = name
        self.folder = place.binaries
        self.build = "cargo build --release -p smtp-mta"


class Lettre(Built):
    """lettre; its program is a workspace of its own."""

    def __init__(self, name, place):
        super().__init__(name, place)
        self.binary = "lettre-send"
        self.folder = place.senders / "lettre" / "debug"
        self.build = f"{LETTRE} {place.senders / 'lettre'}"

    def version(self):
        manifest = tomllib.loads((HERE / "lettre" / "Cargo.toml").read_text())
        return manifest["dependencies"]["lettre"]["version"].removeprefix("=")


class Packaged(Sender):
    """A mail server of Debian's, in an overlay with the suite beside it: see `packaged/recipes`."""

    slow = True

    def __init__(self, name, place, title):
        super().__init__(name, place)
        self.title = title

    def judge(self, arguments):
        for tool in ("unshare", "apt-get"):
            program(tool)
        if os.geteuid() != 0:
            raise Missing("root, to mount an overlay file system")
        archives = self.place.target / "peers" / "archives" / self.name
        archives.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{self.name}-", dir=self.place.senders) as folder:
            folder = pathlib.Path(folder)
            folder.chmod(0o755)
            return self.judge_in(folder, archives, arguments)

    def judge_in(self, folder, archives, arguments):
        """The same, with what is seen as /peer in `folder`."""
        shutil.copy(self.place.suite(), folder / "smtp-conformance")
        shutil.copytree(HERE, folder / "senders", ignore=shutil.ignore_patterns("lettre"))
        inside = []
        for word in map(str, arguments):
            path = pathlib.Path(word)
            if path.is_absolute() and path.exists():
                shutil.copy(path, folder)
            inside.append(f"/peer/{path.name}" if path.is_absolute() else word)
        # Its version is known when it is installed.
        inside += ["--software", f"{self.title} @VERSION@"]
        inside += ["--sender", f"/peer/senders/{self.name}.toml"]
        (folder / "arguments").write_text("".join(f"{word}\n" for word in inside))
        command = ["unshare", "--mount", "--pid", "--fork", "--propagation", "private"]
        command += [PEERS / "overlay", self.name, folder, archives, 0, 0, 0]
        command += [HERE / "packaged" / "recipes"]
        # It ends when its standard input does.
        reading, writing = os.pipe()
        try:
            code, printed = self.place.run(command, PATIENCE_WITH_PACKAGES, stdin=reading)
        finally:
            os.close(writing)
            os.close(reading)
        missing = re.findall(r"missing: (.+)", printed)
        if missing:
            raise Missing(missing[-1])
        report = folder / self.place.report(self).name
        if report.exists():
            shutil.copy(report, self.place.report(self))
            # Without what its installation printed.
            printed = (folder / "printed").read_text(errors="replace")
        return code, printed


class Place:
    """Where things lie, and what runs there."""

    def __init__(self, target, binaries):
        self.target = target
        self.binaries = binaries
        self.senders = target / "senders"
        (self.senders / "reports").mkdir(parents=True, exist_ok=True)
        self.running = set()
        self.ended = False

    def suite(self):
        """The suite."""
        path = self.binaries / "smtp-conformance"
        if not os.access(path, os.X_OK):
            raise Missing("cargo build --release -p smtp-conformance")
        return path

    def report(self, sender):
        """Where the report on a sender goes."""
        return self.senders / "reports" / f"{sender.name}.json"

    def all(self):
        """All senders, in the order of the matrix."""
        yield Packaged("postfix", self, "Postfix")
        yield Packaged("exim", self, "Exim")
        yield Packaged("sendmail", self, "Sendmail")
        yield Packaged("opensmtpd", self, "OpenSMTPD")
        yield Sender("msmtp", self)
        yield Sender("curl", self)
        yield Swaks("swaks", self)
        yield Smtplib("smtplib", self)
        yield Python("aiosmtplib", self)
        yield Node("nodemailer", self)
        yield Lettre("lettre", self)
        yield Mta("smtp-mta", self)
        for runtime in ("tokio", "smol"):
            yield Client(f"{runtime}-send", self)
            yield Client(f"{runtime}-send{CHUNKING}", self)

    def run(self, command, patience, **how):
        """Runs a command: its exit code, and what it printed; ends it if it takes too long."""
        if self.ended:
            raise Failed("stopped")
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        command = [*map(str, command)]
        with subprocess.Popen(command, text=True, errors="replace", **pipe, **how) as process:
            self.running.add(process)
            try:
                printed, _ = process.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                raise Failed(f"still runs after {patience} s") from None
            finally:
                process.kill()
                self.running.discard(process)
        return process.returncode, printed

    def end(self):
        """Ends all that run; no other begins."""
        self.ended = True
        for process in list(self.running):
            with contextlib.suppress(OSError):
                process.kill()


def program(name):
    """The path of a program; or raises Missing."""
    path = shutil.which(name)
    if not path:
        raise Missing(name)
    return path
