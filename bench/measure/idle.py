"""Memory of connections that have said EHLO and now say nothing."""

import resource
import subprocess
import sys

from . import paths
from .peers import FLOOR, SMOL, SMOL_FLOOR, TOKIO, ours
from .server import running
from .sheet import Goal, Sheet

CONNECTIONS = 15_000
DESCRIPTORS = CONNECTIONS + 500

SERVERS = {
    f"{FLOOR}, buffers of 4 KiB": (ours("floor-tokio", "4096"), []),
    TOKIO: (ours("discard-tokio"), []),
    f"{TOKIO}, TLS": (ours("discard-tokio", "tls"), ["tls"]),
    f"{SMOL_FLOOR}, buffers of 4 KiB": (ours("floor-smol", "4096"), []),
    SMOL: (ours("discard-smol"), []),
    f"{SMOL}, TLS": (ours("discard-smol", "tls"), ["tls"]),
}


def raise_limit():
    """Lets this process and those it starts have enough descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= DESCRIPTORS:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, max(hard, DESCRIPTORS)))
    except (ValueError, OSError):
        sys.exit(f"{DESCRIPTORS} descriptors are needed, and {hard} are allowed: raise `ulimit -Hn`")


def growth(command, tls):
    """KiB of memory for each connection."""
    with running(command) as server:
        before = server.anonymous()
        load = [paths.BINARIES / "idle-load", server.address, str(CONNECTIONS), *tls]
        with subprocess.Popen(load, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            if client.stdout.readline() != "idle\n":
                sys.exit(f"{load}: the connections were not made")
            after = server.anonymous()
            client.stdin.close()
    return (after - before) / CONNECTIONS


def measure(_rounds):
    """The sheets and the goals of one run."""
    raise_limit()
    sheet = Sheet(
        f"{CONNECTIONS:,} idle connections: KiB each",
        "Growth of the server's anonymous memory, divided by the connections; what the kernel keeps for a socket is not in it.",
        ["KiB"],
    )
    for name, (command, tls) in SERVERS.items():
        sheet.rows[name] = [growth(command, tls)]
    goals = [
        Goal(f"{name}: KiB for an idle connection", bound, sheet.rows[name][0])
        for name, bound in ((TOKIO, 2.5), (SMOL, 4.0))
    ]
    return [sheet], goals
