"""The servers under test: started on a port of the kernel's choice, watched, and always stopped."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

from message import without_trace
from report import Failed, expect

# How long a server may take to start or to stop, in seconds.
PATIENCE = 20


class Server:
    """A process that listens, in a folder of its own."""

    name = "server"
    # Whether it writes Return-Path and Received.
    trace = False
    # Whether it ends by itself on SIGTERM.
    signals = False

    def __init__(self, binaries):
        self.binaries = pathlib.Path(binaries)
        self.folder = tempfile.TemporaryDirectory(prefix="interop-")
        self.path = pathlib.Path(self.folder.name)
        self.process = None
        self.port = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        self.folder.cleanup()

    def command(self):
        """The command line that starts it."""
        raise NotImplementedError

    def errors(self):
        """Where its log goes."""
        return subprocess.STDOUT

    def start(self):
        """Starts it and learns its port from what it prints."""
        command = self.command()
        expect(os.access(command[0], os.X_OK), f"{command[0]} is not built")
        self.process = subprocess.Popen(
            command,
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors(),
        )
        found = threading.Event()
        log = open(self.path / "server.log", "ab")

        def read():
            # Reads to the end, so that the server never waits for its log to be read.
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                port = re.search(rb"listening on [\d.]+:(\d+)", line)
                if port and not found.is_set():
                    self.port = int(port[1])
                    found.set()
            log.close()

        threading.Thread(target=read, daemon=True).start()
        if not found.wait(PATIENCE):
            self.process.kill()
            raise Failed(f"{self.name} did not say where it listens:\n{self.log()[-2000:]}")

    def log(self):
        """What it printed."""
        return (self.path / "server.log").read_text(errors="replace")

    def stop(self):
        """Asks it to end; fails if it does not, or ends badly."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} still runs {PATIENCE} s after SIGTERM") from None
        expect(code == 0, f"{self.name} ended with {code} after SIGTERM:\n{self.log()[-2000:]}")

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def expect_alive(self):
        """Fails if it has ended."""
        code = self.process.poll()
        expect(code is None, f"{self.name} ended with {code}:\n{self.log()[-2000:]}")

    def peak_memory(self):
        """The most memory it ever had resident, in octets."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    def files(self):
        """The files of all messages it has stored, in no order."""
        raise NotImplementedError

    def wait_for(self, count, seconds=30):
        """Until `count` messages are delivered: a 250 says only that they are in the queue."""
        until = time.monotonic() + seconds
        while len(self.files()) < count and time.monotonic() < until:
            time.sleep(0.05)

    def messages(self):
        """The octets of all messages it has stored, without the server's own trace headers."""
        stored = [path.read_bytes() for path in self.files()]
        return [without_trace(octets) for octets in stored] if self.trace else stored

    def clear(self):
        """Removes the stored messages."""
        for path in self.files():
            path.unlink()

    def one_message(self):
        """The only message that is there, waited for a moment, and removed."""
        deadline = time.monotonic() + 5
        while not self.files() and time.monotonic() < deadline:
            time.sleep(0.01)
        messages = self.messages()
        self.clear()
        expect(len(messages) == 1, f"{len(messages)} messages are stored")
        return messages[0]


class Mta(Server):
    """`smtp-mta` with Maildirs."""

    name = "smtp-mta"
    trace = True
    signals = True

    CONFIG = """\
hostname = "mx.test"
data_dir = "data"
message_size_limit = "3 GiB"

[[listener]]
address = "127.0.0.1:0"

[[domain]]
name = "localhost"
mailboxes = ["you", "jürgen"]
"""

    def command(self):
        config = self.path / "smtp-mta.toml"
        config.write_text(self.CONFIG)
        return [self.binaries / "smtp-mta", "--config", config]

    def files(self):
        return [
            path
            for folder in (self.path / "data" / "mail").glob("*/new")
            for path in folder.iterdir()
        ]


class Example(Server):
    """An example of an adapter, told to write its messages to files."""

    example = None

    def __init__(self, binaries, adapter):
        super().__init__(binaries)
        self.adapter = adapter
        self.mail = self.path / "mail"

    def command(self):
        example = self.binaries / "examples" / f"{self.adapter}-{self.example}"
        return [example, "127.0.0.1:0", *self.arguments()]

    def arguments(self):
        """What follows the address."""
        return [self.mail]

    def files(self):
        return list(self.mail.glob("*/new/*.eml"))


class Catch(Example):
    """Takes mail for everybody."""

    example = "catch"

    def __init__(self, binaries, adapter):
        super().__init__(binaries, adapter)
        self.name = adapter


class Submission(Example):
    """Takes mail from one user, after STARTTLS and AUTH."""

    example = "submission"
    user = "user1"
    password = "secret 1"

    def __init__(self, binaries, adapter):
        super().__init__(binaries, adapter)
        self.name = f"{adapter} submission"

    def arguments(self):
        return [self.user, self.password, self.mail]


def servers(binaries):
    """A maker of each server that takes mail from anybody, by name."""
    return {
        "smtp-mta": lambda: Mta(binaries),
        "tokio": lambda: Catch(binaries, "tokio"),
        "smol": lambda: Catch(binaries, "smol"),
    }


def submission_servers(binaries):
    """A maker of each server that takes mail after AUTH, by name."""
    return {
        "tokio submission": lambda: Submission(binaries, "tokio"),
        "smol submission": lambda: Submission(binaries, "smol"),
    }
