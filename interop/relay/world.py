"""The world: a network of its own with a name server.

All of 192.0.2.0/24 is on this machine, so that every host has an address and port 25 of its own.
198.51.100.0/24 is not reachable, and what is sent to 203.0.113.0/24 is lost without a word.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from servers import Missing

HERE = pathlib.Path(__file__).resolve().parent
# In the environment: the file descriptor of the network that this machine had before.
OUTSIDE = "RELAY_OUTSIDE"
NETWORK = [
    "link set lo up",
    "address add 192.0.2.1/24 dev lo",
    # Postfix listens only where an interface has the address.
    "address add 192.0.2.20/32 dev lo",
    "tuntap add mode tun name hole",
    "link set hole up",
    "route add unreachable 198.51.100.0/24",
    "route add 203.0.113.0/24 dev hole src 192.0.2.1",
]


def enter():
    """Goes on as the first process of name spaces of its own, with which all that it starts ends."""
    if OUTSIDE in os.environ:
        for words in NETWORK:
            subprocess.run(["ip", *words.split()], check=True)
        return
    for tool in ["ip", "nsenter", "setpriv", "unshare"]:
        if not shutil.which(tool):
            raise Missing(tool)
    if os.geteuid() != 0:
        if subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode != 0:
            raise Missing("root, to make a network name space")
        os.execvp("sudo", ["sudo", "-n", "-E", sys.executable, *sys.argv])
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode != 0:
        raise Missing("the right to make a network name space")
    network = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.set_inheritable(network, True)
    os.environ[OUTSIDE] = str(network)
    own = ["--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
           "--mount-proc"]  # fmt: skip
    os.execvp("unshare", ["unshare", *own, sys.executable, *sys.argv])


def outside():
    """The words before a command that needs the network that this machine had before."""
    return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{os.environ[OUTSIDE]}"]


class NameServer:
    """NSD with the zone of this folder, and `records` more."""

    def __init__(self, records):
        self.records = records

    def __enter__(self):
        program = shutil.which("nsd") or shutil.which("nsd", path="/usr/sbin")
        if not program:
            raise Missing("nsd")
        self.folder = tempfile.TemporaryDirectory(prefix="relay-")
        path = pathlib.Path(self.folder.name)
        zone = [(HERE / "test.zone").read_text(), *self.records, ""]
        (path / "test.zone").write_text("\n".join(zone))
        config = (HERE / "nsd.conf").read_text().replace("@FOLDER@", str(path))
        (path / "nsd.conf").write_text(config)
        with open(path / "log", "wb") as log:
            self.process = subprocess.Popen(
                [program, "-d", "-c", path / "nsd.conf"], stdout=log, stderr=log
            )
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.folder.cleanup()
