"""Logins by more than a password that is shown: bound to TLS, by a certificate, by a token."""

import contextlib
import hashlib
import pathlib
import select
import shutil
import socket
import ssl
import subprocess
import threading
import venv

from message import message
from programs import MSMTP_TLS, SENDER, TIMEOUT, Program, curl, msmtp, run
from report import Failed, expect
from server import Mta, Server, Submission

# What the peer has its TLS from, of PyPI.
PACKAGE = "pyOpenSSL==26.4.0"
# How long that may take to install, in seconds.
PATIENCE_WITH_PACKAGES = 300
HERE = pathlib.Path(__file__).resolve().parent
BOUND = "SCRAM-SHA-256-PLUS"
TOKENS = ("OAUTHBEARER", "XOAUTH2")
LOGIN, PASSWORD = "user1", "secret 1"
TOKEN = "ya29.a0Aa-token_of+user1/=="


class Missing(Exception):
    """Something that this needs is not here."""


def certificate(folder, name, usage):
    """Makes `NAME.crt` and `NAME.key`, which nobody but itself has signed; their paths."""
    crt, key = folder / f"{name}.crt", folder / f"{name}.key"
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "30", *names, "-addext", "basicConstraints=critical,CA:FALSE",
         "-addext", f"extendedKeyUsage={usage}", "-keyout", key, "-out", crt])  # fmt: skip
    return crt, key


# ── Others log in to our servers ──


class Bound(Mta):
    """`smtp-mta` for users, who may show a certificate."""

    name = "smtp-mta submission"
    CONFIG = """\
hostname = "mx.test"
data_dir = "data"

[[listener]]
address = "127.0.0.1:0"
role = "submission"
client_ca_file = "client.crt"
client_certificate = "optional"

[[domain]]
name = "localhost"
mailboxes = ["you"]

[[user]]
name = "user1"
may_send_as = ["*"]
certificates = ["FINGERPRINT"]
"""

    def command(self):
        self.shown = certificate(self.path, "client", "clientAuth")
        der = ssl.PEM_cert_to_DER_cert(self.shown[0].read_text())
        self.CONFIG = self.CONFIG.replace("FINGERPRINT", hashlib.sha256(der).hexdigest())
        command = super().command()
        run([*command, "user", "add", LOGIN], input=PASSWORD.encode(), cwd=self.path)
        return command


class Tokens(Submission):
    """The submission example, which takes a token, too."""

    def __init__(self, binaries, adapter):
        super().__init__(binaries, adapter)
        self.name = f"{adapter} submission with tokens"

    def arguments(self):
        return [*super().arguments(), TOKEN]


@contextlib.contextmanager
def said_hello(port):
    """A port where EHLO has been said for the client: gsasl 2.2.0 says STARTTLS without it, and a
    server does not know then that it can be taken at its word (RFC 3207 section 4)."""
    listener = socket.create_server(("127.0.0.1", 0))

    def carry():
        client, _ = listener.accept()
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            # Unbuffered: what the server says later is not for this reader.
            with server.makefile("rb", buffering=0) as replies:
                greeting = replies.readline()
                server.sendall(b"EHLO client.example\r\n")
                while replies.readline()[3:4] == b"-":
                    pass
            client.sendall(greeting)
            ends = {client: server, server: client}
            with contextlib.suppress(OSError):
                while True:
                    for one in select.select(ends, [], [], TIMEOUT)[0]:
                        octets = one.recv(65536)
                        if not octets:
                            return
                        ends[one].sendall(octets)

    with listener:
        threading.Thread(target=carry, daemon=True).start()
        yield listener.getsockname()[1]


def gsasl(server, password, reply):
    """gsasl chooses the mechanism, which must be the one that is bound to TLS 1.3."""
    with said_hello(server.port) as port:
        ended = subprocess.run(
            ["gsasl", "--smtp", "--connect", f"127.0.0.1:{port}", "--starttls", "--x509-ca-file=",
             "--authentication-id", LOGIN, "--password", password],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False,
        )  # fmt: skip
    said = ended.stdout.decode(errors="replace")
    expect(f"AUTH {BOUND}" in said and reply in said, f"another dialogue:\n{said}")
    outcome = "accepted" if reply.startswith("235") else "refused"
    line = f'how="{BOUND}" outcome="{outcome}"'
    expect(line in server.log(), f"no login in the log:\n{server.log()[-1500:]}")
    expect((ended.returncode == 0) == (outcome == "accepted"), f"ended with {ended.returncode}")
    return reply


def by_certificate(server):
    """curl shows a certificate, and EXTERNAL says that this is all."""
    crt, key = server.shown
    shows = ["--cert", crt, "--key", key, "--user", f"{LOGIN}:", "--login-options", "AUTH=EXTERNAL"]
    figures = Program("curl EXTERNAL", curl("--ssl-reqd", *shows)).check(server)
    expect('how="certificate" outcome="accepted"' in server.log(), "no login in the log")
    # Without it, EXTERNAL is not even offered, and curl has nothing else.
    refused(curl("--ssl-reqd", *shows[4:]), server, "ended with 67")
    return figures


def refused(deliver, server, words):
    """Fails unless the program fails with these words."""
    file = server.path / "message"
    file.write_bytes(message("refused"))
    try:
        deliver(server.port, file, "you@localhost")
    except Failed as failure:
        expect(words in str(failure), f"not {words}:\n{failure}")
    else:
        raise Failed("it was accepted")
    expect(not server.files(), "refused, yet stored")


def token_ways(mechanism, token):
    """The programs that log in by a token, by executable."""
    return {
        "curl": curl("--ssl-reqd", "--user", f"{LOGIN}:", "--oauth2-bearer", token,
                     "--login-options", f"AUTH={mechanism}"),
        "msmtp": msmtp(*MSMTP_TLS, f"--auth={mechanism.lower()}", f"--user={LOGIN}",
                       f"--passwordeval=echo '{token}'"),
    }  # fmt: skip


def by_token(server, program, mechanism):
    """The right token, and a wrong one."""
    figures = Program(program, token_ways(mechanism, TOKEN)[program]).check(server)
    refused(token_ways(mechanism, "wrong")[program], server, "ended with")
    return figures


# ── Our client logs in to another server ──


class Peer(Server):
    """sasl_peer.py, in a Python of its own."""

    name = "GNU SASL and OpenSSL"

    def __init__(self, binaries, python):
        super().__init__(binaries)
        self.python = python
        self.mail = self.path / "mail"
        self.mail.mkdir()

    def command(self):
        self.shown = certificate(self.path, "localhost", "serverAuth")
        script = HERE / "sasl_peer.py"
        return [self.python, script, *self.shown, LOGIN, PASSWORD, TOKEN, self.mail]

    def files(self):
        return list(self.mail.iterdir())


def peer_python(cache):
    """The Python that has the package, made in `cache` the first time."""
    place = cache / PACKAGE.replace("==", "-")
    python = place / "bin" / "python"
    if not (place / "complete").exists():
        try:
            venv.create(place, with_pip=True, clear=True)
            subprocess.run(
                [python, "-m", "pip", "install", "-q", PACKAGE],
                check=True, capture_output=True, timeout=PATIENCE_WITH_PACKAGES,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise Missing(f"{PACKAGE} from PyPI, or python3-venv ({error})") from None
        (place / "complete").touch()
    return python


def ours(server, adapter, secret, *options):
    """The client's example."""

    def deliver(port, file, to):
        password = server.path / "password"
        password.write_text(secret)
        with open(file, "rb") as octets:
            run([server.binaries / "examples" / f"{adapter}-send", "--server", f"localhost:{port}",
                 "--tls", "required", "--ca", server.shown[0], "--user", LOGIN,
                 "--password-file", password, "--from", SENDER, "--to", to, *options],
                stdin=octets)  # fmt: skip

    return deliver


def log_in_as_ours(server, adapter, mechanism):
    """By the mechanism; SCRAM-SHA-256-PLUS is the one that our client chooses. A wrong secret is
    refused, and nothing is sent."""
    options, secret = ["--mechanism", mechanism], TOKEN
    if mechanism == BOUND:
        options, secret = [], PASSWORD
    before = server.log().count(f"logged in by {mechanism}\n")
    figures = Program(mechanism, ours(server, adapter, secret, *options)).check(server)
    refused(ours(server, adapter, "wrong", *options), server, "535")
    logins = server.log().count(f"logged in by {mechanism}\n") - before
    expect(logins == 1, f"{logins} logins by it:\n{server.log()[-1500:]}")
    return figures


def check_sasl(report, binaries, cache):
    """All of these logins."""
    needed = {name: shutil.which(name) for name in ("gsasl", "curl", "msmtp", "openssl")}
    for name in [name for name, path in needed.items() if not path]:
        report.skip(f"{name} logs in", f"{name} is not installed")
    if not needed["openssl"]:
        return
    with Bound(binaries) as server:
        if needed["gsasl"]:
            for password, reply in (("wrong", "535 5.7.8"), (PASSWORD, "235 2.7.0")):
                name = f"{server.name}: gsasl {BOUND}, {reply[:3]}"
                report.check(name, gsasl, server, password, reply)
        if needed["curl"]:
            report.check(f"{server.name}: curl EXTERNAL", by_certificate, server)
    for adapter in ("tokio", "smol"):
        with Tokens(binaries, adapter) as server:
            for program in ("curl", "msmtp"):
                for mechanism in TOKENS if needed[program] else ():
                    name = f"{server.name}: {program} {mechanism}"
                    report.check(name, by_token, server, program, mechanism)
    try:
        python = peer_python(cache)
    except Missing as missing:
        report.skip(f"{Peer.name}: our client", str(missing))
        return
    with Peer(binaries, python) as server:
        for adapter in ("tokio", "smol"):
            for mechanism in (BOUND, *TOKENS):
                name = f"{server.name}: {adapter}-send {mechanism}"
                report.check(name, log_in_as_ours, server, adapter, mechanism)
