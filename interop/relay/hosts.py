"""The servers of other people: each has a domain of this world, and takes its mail at port 25.

They are started as for `interop/delivery`, with configurations of this folder.
"""

import pathlib

import peers
from peers import suite
from programs import run
from report import expect
from target import TRACE
from world import outside

HERE = pathlib.Path(__file__).resolve().parent


class Host:
    """A server of this world."""

    # Where it is.
    ip = None

    def __init__(self, target):
        super().__init__(None, target)
        self.domain = f"{self.name}.test"
        self.host = f"mx.{self.domain}"

    def address(self, user="user1"):
        """The address of a mailbox."""
        return f"{user}@{self.domain}"

    def find(self, mark):
        """The stored messages that hold the mark: pairs of mailbox and octets."""
        found = [(path.parent.parent.name, path.read_bytes()) for path in self.stored()]
        return [(user, self.clean(octets)) for user, octets in found if mark in octets]

    def clean(self, octets):
        """A stored file as it came: files may have the line ends of the system."""
        if self.as_received:
            return octets
        return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def sent(self, octets):
        """A stored message without what was put in front of it on its way."""
        trace = TRACE.match(octets)
        expect(trace and b"by mx.a.test with" in trace[0], f"no trace of us: {octets[:400]!r}")
        return octets[trace.end() :]


class Packaged(Host, peers.Packaged):
    """A server from Debian's packages. They come from outside, the server runs inside."""

    def start(self):
        self.certificate()
        self.launch()
        self.wait(lambda: suite.greets(25, self.ip))

    def command(self):
        self.ports = {"address": 25, "implicit_tls": 465}
        return [*outside(), *super().command()[:-1], HERE / "recipes"]


class Postfix(Packaged):
    """Postfix: a host of the Internet, a smarthost, and one that sends."""

    name = "postfix"
    ip = "192.0.2.20"

    def send(self, file, octets, to):
        """swaks logs in there, and has it send a message, which is put into `file`."""
        # swaks puts a CRLF of its own behind the data.
        file.write_bytes(octets.removesuffix(b"\r\n"))
        run(["swaks", "--server", self.ip, "--port", "587", "--tls", "--auth", "PLAIN",
             "--auth-user", f"{peers.USER}@{self.host}", "--auth-password", peers.PASSWORD,
             "--from", self.address(), "--to", to, "--data", f"@{file}"])  # fmt: skip


class Exim(Packaged):
    """Exim."""

    name = "exim"
    ip = "192.0.2.30"


class Aiosmtpd(Host, peers.Aiosmtpd):
    """aiosmtpd."""

    ip = "192.0.2.40"

    def command(self):
        place = ["--domain", self.domain, "--address", self.ip, "--port", "25"]
        return [*super().command(), *place]
