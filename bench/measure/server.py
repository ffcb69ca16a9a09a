"""A server that is started, watched through /proc, and ended."""

import contextlib
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time


def free_port():
    """A port of loopback that nobody listens on."""
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


@contextlib.contextmanager
def running(command):
    """Runs `command`, a function of a port, until the block ends."""
    port = free_port()
    with tempfile.TemporaryFile() as output:
        words = [str(word) for word in command(port)]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield Server(process, port, output)
        finally:
            process.kill()
            process.wait()


class Server:
    """A process that listens on `port`."""

    def __init__(self, process, port, output):
        self.process, self.port = process, port
        self.address = f"127.0.0.1:{port}"
        until = time.monotonic() + 30
        while time.monotonic() < until and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        output.seek(0)
        sys.exit(f"{process.args[0]} does not start: {output.read().decode(errors='replace')}")

    def cpu(self):
        """Seconds that its threads have run, in user mode and in the kernel."""
        return sum(int((task / "schedstat").read_text().split()[0]) for task in self.tasks()) / 1e9

    def wait_until_traced(self):
        """Until a tracer holds all its threads."""
        until = time.monotonic() + 10
        while any("TracerPid:\t0\n" in (task / "status").read_text() for task in self.tasks()):
            if time.monotonic() > until:
                sys.exit(f"{self.process.args[0]} cannot be traced")
            time.sleep(0.01)

    def tasks(self):
        return list(pathlib.Path(f"/proc/{self.process.pid}/task").iterdir())

    def anonymous(self):
        """KiB of memory that are its own, and no file's."""
        smaps = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Anonymous:\s+(\d+) kB", smaps, re.MULTILINE).group(1))
