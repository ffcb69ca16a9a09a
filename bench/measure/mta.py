"""smtp-mta beside Debian's Postfix, in one run, in turn: accept and relay, 4 KiB, 20 connections kept.

The load is `tokio-load`, the sink `counting-sink`: both cost less than smtp-source and smtp-sink, and their
CPU is shown beside the server's. Each server runs in a PID namespace of its own, by which all its processes are
found when their CPU is counted. Flushes are counted by strace in a round of their own, which slows
a server a little.

    relay      from the first octet of the load to the last message at the sink
    accept     the same load, and a next server that nobody runs: all waits in the queue
"""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from . import paths
from .server import free_port
from .sheet import Goal, Sheet

MESSAGES = 5_000
PATIENCE = 300
LEAST_OF_POSTFIX = 700  # messages a second end to end; with less something is wrong with the run
SIZE = 4096
CONNECTIONS = 20

# As Debian ships it, with raised limits for one client. What is not named has its default.
MAIN_CF = """
compatibility_level = 3.6
maillog_file = {path}/log
maillog_file_prefixes = {path}
queue_directory = {path}/spool
data_directory = {path}/data
myhostname = mx.example.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
relayhost = [127.0.0.1]:{sink}
smtp_host_lookup = native
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
in_flow_delay = 0
"""

OURS = """
hostname = "mx.example.test"
data_dir = "{path}/data"
relay_networks = ["127.0.0.1"]
[[listener]]
address = "127.0.0.1:{port}"
tls = "off"
[log]
level = "{level}"
[[route]]
smarthost = {{ host = "127.0.0.1", port = {sink}, tls = "off" }}
"""


class MailServer:
    """A mail server that passes all mail on to one port."""

    def __init__(self, sink, flushes=False):
        self.folder = tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_DIR"))
        self.path = pathlib.Path(self.folder.name)
        self.path.chmod(0o755)
        self.port = free_port()
        self.sink = sink
        command = [str(word) for word in self.prepare()]
        if flushes:
            trace = ["strace", "--seccomp-bpf", "-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range,syncfs"]
            command = [*trace, "-o", str(self.path / "flushes"), *command]
        # All its processes end with the first.
        apart = ["unshare", "--pid", "--fork", "--kill-child"]
        with open(self.path / "output", "wb") as output:
            self.process = subprocess.Popen([*apart, *command], stdout=output, stderr=output)
        self.wait()

    def wait(self):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as it:
                    if it.recv(3) == b"220":
                        return
            except OSError:
                time.sleep(0.05)
        self.process.kill()
        sys.exit(f"{self.name} does not start:\n{(self.path / 'output').read_text()}")

    def stop(self):
        """Its CPU seconds, and its flushes if they were counted."""
        cpu = self.cpu()
        # Not by --kill-child alone: a process that changes its user no longer hears of that.
        first = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        os.kill(int(first), signal.SIGKILL)
        self.process.wait()
        flushes = self.path / "flushes"
        counted = None
        if flushes.exists():
            counted = sum("sync" in line and "resumed" not in line for line in flushes.open())
        self.folder.cleanup()
        return cpu, counted

    def cpu(self):
        """CPU seconds of its processes, those that have ended too: their parents are still there."""
        own = os.readlink(f"/proc/{self.process.pid}/ns/pid_for_children")
        ticks = 0
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{process}/ns/pid") == own:
                    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                    ticks += sum(map(int, fields[11:15]))
            except OSError:
                continue  # it has just ended
        return ticks / os.sysconf("SC_CLK_TCK")


class Ours(MailServer):
    """smtp-mta."""

    name = "smtp-mta"
    level = "info"

    def prepare(self):
        text = OURS.format(path=self.path, port=self.port, sink=self.sink, level=self.level)
        config = self.path / "mta.toml"
        config.write_text(text)
        return [paths.TARGET / "release" / "smtp-mta", "--config", config]


class Postfix(MailServer):
    """Postfix."""

    name = "Postfix"

    def prepare(self):
        (self.path / "data").mkdir()
        owner = pwd.getpwnam("postfix")
        os.chown(self.path / "data", owner.pw_uid, owner.pw_gid)
        (self.path / "spool").mkdir()
        config = self.path / "config"
        config.mkdir()
        (config / "main.cf").write_text(MAIN_CF.format(path=self.path, sink=self.sink))
        lines = []
        for line in pathlib.Path("/usr/share/postfix/master.cf.dist").read_text().splitlines():
            words = line.split()
            if line[:1].isspace() or line.startswith("#") or len(words) < 8:
                lines.append(line)
                continue
            if words[:2] == ["smtp", "inet"]:
                words[0] = f"127.0.0.1:{self.port}"
            # Without a chroot, whose files are the package's business.
            words[4] = "n"
            lines.append(" ".join(words))
        (config / "master.cf").write_text("\n".join(lines) + "\n")
        subprocess.run(["postfix", "-c", config, "check"], check=True, capture_output=True)
        return ["/usr/lib/postfix/sbin/master", "-c", config, "-d"]


def load(port, messages):
    """Sends them. Gives the CPU seconds of the load."""
    command = [
        paths.EXAMPLES / "tokio-load", "--server", f"127.0.0.1:{port}", "--messages", messages,
        "--size", SIZE, "--connections", CONNECTIONS, "--kept", 500,
    ]  # fmt: skip
    before = os.times()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=PATIENCE)
    after = os.times()
    if done.returncode:
        sys.exit(f"the load failed: {done.stdout}{done.stderr}")
    return after.children_user + after.children_system - before.children_user - before.children_system


def relay(kind, messages, flushes=False):
    """Seconds, CPU seconds of the server, the load and the sink, flushes."""
    sink = subprocess.Popen([paths.BINARIES / "counting-sink", str(messages)], stdout=subprocess.PIPE, text=True)
    server = kind(sink.stdout.readline().split(":")[-1].strip(), flushes)
    began = time.monotonic()
    of_load = load(server.port, messages)
    alarm = signal.alarm(PATIENCE)
    _, _, usage = os.wait4(sink.pid, 0)
    signal.alarm(alarm)
    seconds = time.monotonic() - began
    sink.returncode = 0
    cpu, counted = server.stop()
    return seconds, cpu, of_load, usage.ru_utime + usage.ru_stime, counted


def accept(kind, messages, flushes=False):
    """The same with nobody behind the server."""
    server = kind(free_port(), flushes)
    began = time.monotonic()
    of_load = load(server.port, messages)
    seconds = time.monotonic() - began
    cpu, counted = server.stop()
    return seconds, cpu, of_load, 0.0, counted


def measure(rounds):
    """The sheets and the goals of one run."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    for program in ("unshare", "strace", "postfix"):
        if not shutil.which(program):
            sys.exit(f"missing: {program}")
    if os.geteuid():
        sys.exit("the stage mta needs root, by whom Postfix is started")
    sheet = Sheet(
        "smtp-mta beside Postfix",
        f"{MESSAGES:,} messages of {SIZE >> 10} KiB over {CONNECTIONS} connections, kept; median of {rounds} rounds.",
        ["messages/s", "CPU µs a message", "of the load", "of the sink", "flushes a message"],
    )
    goals = []
    for way in (accept, relay):
        found = {Ours: [], Postfix: []}
        for _ in range(rounds):
            for kind, times in found.items():
                times.append(way(kind, MESSAGES))
        for kind, times in found.items():
            seconds, *cpu = (statistics.median(column) for column in list(zip(*times))[:4])
            few = MESSAGES // 5
            flushes = way(kind, few, flushes=True)[4] / few
            microseconds = [each * 1e6 / MESSAGES for each in cpu]
            sheet.rows[f"{kind.name}, {way.__name__}"] = [MESSAGES / seconds, *microseconds, flushes]
        ours, theirs = (sheet.rows[f"{kind.name}, {way.__name__}"] for kind in found)
        goals += [
            Goal(f"smtp-mta, {way.__name__}: CPU, as a ratio to Postfix's", 0.1, ours[1] / theirs[1]),
            Goal(f"smtp-mta, {way.__name__}: rate, as a ratio to Postfix's", 5.0, ours[0] / theirs[0], least=True),
        ]
        if way is relay and theirs[0] < LEAST_OF_POSTFIX:
            sys.exit(f"VOID: Postfix relays {theirs[0]:.0f} messages a second, and {LEAST_OF_POSTFIX} are expected")
    goals.append(Goal("smtp-mta, accept: flushes a message", 0.2, sheet.rows[f"{Ours.name}, accept"][4]))
    return [sheet], goals
