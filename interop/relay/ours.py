"""smtp-mta as a host of this world."""

import json
import os
import pathlib
import shutil
import smtplib
import subprocess
import time

from peers import PASSWORD
from report import expect
from server import Mta
from wire import blind_tls

HERE = pathlib.Path(__file__).resolve().parent
# Who runs it: nobody, with the one capability that it needs.
USER = 65534
USERS = {"ada": "secret 1", "postfix": "secret2"}
ADA = "ada@a.test"
# How long anything may take that should take no time, in seconds.
PATIENCE = 20


class Ours(Mta):
    """The server, and what it says of itself."""

    host, ip = "mx.a.test", "192.0.2.10"
    user, password = "ada", USERS["ada"]

    def __init__(self, binaries, postfix, more=""):
        super().__init__(binaries)
        built = self.binaries / "smtp-mta"
        expect(os.access(built, os.X_OK), f"{built} is not built")
        # Its user may not be let into the folder where it was built.
        self.program = shutil.copy(built, self.path)
        shutil.copy(postfix.path / "ca.pem", self.path)
        (self.path / "password").write_text(PASSWORD)
        self.config = self.path / "mta.toml"
        self.config.write_text((HERE / "mta.toml").read_text() + more)
        self.read = 0
        self.lines = []
        for name, password in USERS.items():
            self.run("user", "add", name, input=password.encode())

    def words(self, *words):
        """The command line that runs it as its user."""
        os.chown(self.path, USER, USER)
        user = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        capability = ["--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]
        return [shutil.which("setpriv"), *user, *capability, self.program, "--config", self.config, *words]

    def command(self):
        return self.words("serve")

    def run(self, *words, **options):
        """Runs one of its commands to its end; gives what it prints."""
        result = subprocess.run(
            self.words(*words), cwd=self.path, capture_output=True, timeout=PATIENCE, **options
        )
        errors = result.stderr.decode(errors="replace")
        expect(result.returncode == 0, f"{words} ended with {result.returncode}: {errors}")
        return result.stdout.decode()

    # ── what it says ──

    def events(self, kind):
        """The lines of the log that are about a `session`, a `message`, a `delivery`."""
        with open(self.path / "server.log", "rb") as log:
            log.seek(self.read)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self.read += len(line)
                if line.startswith(b"{"):
                    self.lines.append(json.loads(line))
        return [line for line in self.lines if line["message"] == kind]

    def wait(self, ready, what, seconds=PATIENCE):
        """What `ready` gives, once that is something."""
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            expect(time.monotonic() < deadline, f"no {what} after {seconds} s")
            self.expect_alive()
            time.sleep(0.02)
        return found

    def deliveries(self, to):
        """The attempts for a recipient."""
        return [event for event in self.events("delivery") if event["to"] == f"<{to}>"]

    def outcomes(self, to):
        """What came of each attempt for a recipient."""
        return [event["outcome"] for event in self.deliveries(to)]

    def wait_for_outcomes(self, to, outcomes, seconds=PATIENCE):
        """Until the attempts for a recipient are as many as these, which they must be."""
        seen = self.wait(
            lambda: len(them := self.outcomes(to)) >= len(outcomes) and them,
            f"{outcomes} for {to}, but {self.outcomes(to)},", seconds,
        )  # fmt: skip
        expect(seen == outcomes, f"{seen} for {to}, not {outcomes}: {self.deliveries(to)}")

    def queue(self, *words):
        """What `queue list` says of the messages that wait."""
        return [json.loads(line) for line in self.run("queue", "list", "--json", *words).splitlines()]

    def forget(self):
        """Forgets what the log said so far."""
        self.events("")
        self.lines.clear()

    def mailbox(self, user):
        """The messages in a mailbox."""
        return [path.read_bytes() for path in self.files() if path.parent.parent.name == user]

    # ── what it is sent ──

    def submit(self, octets, recipients, *options, sender=ADA, rcpt=()):
        """Submits a message with smtplib, after STARTTLS and a login; `options` are parameters of
        MAIL, `rcpt` of each RCPT."""
        with smtplib.SMTP("127.0.0.1", 587, "client.example", timeout=PATIENCE) as client:
            client.starttls(context=blind_tls())
            client.login(self.user, self.password)
            refused = client.sendmail(sender, recipients, octets, options, rcpt)
            expect(not refused, f"refused: {refused}")
