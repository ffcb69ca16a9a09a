"""One very large message: submitted by curl inside TLS, queued, relayed, delivered."""

import hashlib
import pathlib
import shutil
import time

from load import upload
from ours import SENDER, Mta
from report import expect

# Resident memory that a message of any size may cost, in octets.
MEMORY = 64 << 20
PASSWORD = "secret 1"

HEAD = (
    f"From: <{SENDER}>\r\nTo: <you@far.test>\r\nSubject: large\r\n"
    "Date: Mon, 01 Jan 2024 00:00:00 +0000\r\nMessage-ID: <large@client.example>\r\n\r\n"
).encode()


def check(report, binaries, arguments):
    """All of it."""
    name = f"a message of {arguments.megabytes} MiB through submission, queue and relay"
    if not shutil.which("curl"):
        report.skip(name, "curl is not installed")
        return
    report.check(name, large, binaries, arguments.megabytes)


def far(binaries):
    """The server for far.test."""
    mta = Mta(binaries, head='message_size_limit = "3 GiB"\n')
    mta.config = mta.config.replace('"localhost"', '"far.test"')
    return mta


def near(binaries, port):
    """The server of the user, who logs in; what is not its own goes to `port`."""
    return Mta(
        binaries,
        head='message_size_limit = "3 GiB"\n',
        listener='role = "submission"\n',
        more=f"""\
[[user]]
name = "you"
may_send_as = ["{SENDER}"]
[[route]]
smarthost = {{ host = "127.0.0.1", port = {port}, tls = "opportunistic" }}
[queue.retry]
after = "1s*"
""",
    )


def large(binaries, megabytes):
    """Its octets arrive as they were sent, and neither server holds it."""
    with far(binaries) as there, near(binaries, there.port) as here:
        here.add_user("you", PASSWORD)
        began = time.monotonic()
        sent, size = submit(here, megabytes)
        taken = time.monotonic() - began
        there.wait_for(1, seconds=300)
        took = time.monotonic() - began
        paths = there.files()
        expect(len(paths) == 1, f"{len(paths)} messages are stored:\n{here.log()[-1000:]}")
        expect(digest(paths[0]) == sent, "it was changed on the way")
        peaks = [mta.peak_memory() for mta in (here, there)]
        expect(max(peaks) < MEMORY, f"{[peak >> 20 for peak in peaks]} MiB resident")
        here.stop()
        there.stop()
        shown = " and ".join(f"{peak / (1 << 20):.1f}" for peak in peaks)
        return f"{size >> 20} MiB taken in {taken:.0f} s, there in {took:.0f} s, {shown} MiB resident at most"


def submit(mta, megabytes):
    """Sends it from a pipe; its SHA-256 and its size."""
    login = ["--ssl-reqd", "--insecure", "--user", f"you:{PASSWORD}"]
    envelope = ["--mail-from", SENDER, "--mail-rcpt", "you@far.test"]
    return upload(mta.port, HEAD, megabytes, *login, *envelope)


def digest(path: pathlib.Path):
    """The SHA-256 of a stored message from its From field on, read in pieces."""
    result = hashlib.sha256()
    with open(path, "rb") as file:
        first = file.read(65536)
        result.update(first[first.index(HEAD[:5]) :])
        while piece := file.read(1 << 20):
            result.update(piece)
    return result.hexdigest()
