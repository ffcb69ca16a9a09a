"""`smtp-mta` as these checks need it."""

import pathlib
import re
import subprocess

import server
from wire import Wire

SENDER = "sender@client.example"


class Mta(server.Mta):
    """`smtp-mta`, configured by `more` beside the domain `localhost`, whose mailbox is `you`."""

    HEAD = """\
hostname = "mx.test"
data_dir = "data"
"""
    LISTENER = """\
[[listener]]
address = "127.0.0.1:0"
"""
    DOMAIN = """\
[[domain]]
name = "localhost"
mailboxes = ["you"]
"""

    def __init__(self, binaries, head="", listener="", more=""):
        super().__init__(binaries)
        self.config = self.HEAD + head + self.LISTENER + listener + self.DOMAIN + more

    @property
    def CONFIG(self):
        """The file."""
        return self.config

    @property
    def data(self):
        """Its data folder."""
        return self.path / "data"

    def memory(self):
        """What is resident now, in octets."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def add_user(self, name, password):
        """Lets somebody log in."""
        subprocess.run(
            [*self.command(), "user", "add", name], cwd=self.path, input=password, text=True,
            check=True, capture_output=True, timeout=server.PATIENCE,
        )  # fmt: skip

    def files(self):
        return list((self.data / "mail" / "you" / "new").glob("*"))


def send(port, name, size, recipient=b"you@localhost"):
    """One message of `size` octets over a new connection; the codes of its replies from MAIL on."""
    with Wire(port) as wire:
        wire.greet()
        codes = [wire.command(b"MAIL FROM:<sender@client.example>")]
        if codes == [250]:
            codes.append(wire.command(b"RCPT TO:<" + recipient + b">"))
            codes.append(wire.command(b"DATA"))
        if codes[-1] == 354:
            codes.append(finish(wire, name, size))
        return codes


def finish(wire, name, size):
    """What follows the 354; the code of the last reply."""
    wire.send(b"Subject: <" + name.encode() + b">\r\n\r\n")
    block = (b"y" * 70 + b"\r\n") * 1000
    while size > 0:
        wire.send(block[: size // 72 * 72 + 72])
        size -= len(block)
    wire.send(b".\r\n")
    return wire.reply()
