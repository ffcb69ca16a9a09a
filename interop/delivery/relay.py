"""Stands between client and server, and writes down what passes, in the order in which it does.

What a client says of itself shows what it means to send; when it sends that shows only here.
"""

import pathlib
import select
import socket
import tempfile
import threading


class Relay:
    """Listens as the server does, over TCP or a unix socket, until it is left."""

    def __init__(self, server):
        # An address of TCP, or the path of a unix socket.
        self.server = server
        self.folder = tempfile.TemporaryDirectory(prefix="delivery-")
        if isinstance(server, pathlib.Path):
            self.address = pathlib.Path(self.folder.name, "socket")
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(self.address))
            self.listener.listen()
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.address = self.listener.getsockname()
        # Pairs of who spoke and what.
        self.passed = []
        self.threads = []

    def __enter__(self):
        self.start(self.accept)
        return self

    def __exit__(self, *_):
        # An accept that waits is woken by this, not by close.
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        self.listener.close()
        self.folder.cleanup()

    def start(self, work, *arguments):
        """Starts a thread."""
        self.threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self.threads[-1].start()

    def accept(self):
        """Takes clients until it is stopped."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.start(self.carry, client)

    def carry(self, client):
        """Carries what client and server say until one of them closes."""
        server = socket.socket(client.family)
        with client, server:
            server.connect(str(self.server) if client.family == socket.AF_UNIX else self.server)
            ends = {client: ("C", server), server: ("S", client)}
            try:
                while True:
                    for one in select.select(ends, [], [])[0]:
                        who, other = ends[one]
                        octets = one.recv(65536)
                        if not octets:
                            return
                        self.passed.append((who, octets))
                        other.sendall(octets)
            except OSError:
                return

    def groups(self):
        """How often a command was sent before the one in front of it was answered."""
        lines = self.lines()
        return sum(
            one.startswith(("C: MAIL", "C: RCPT")) and two.startswith("C: ")
            for one, two in zip(lines, lines[1:])
        )

    def lines(self):
        """What was said, as lines behind `C: ` and `S: `."""
        lines, rest = [], {"C": b"", "S": b""}
        for who, octets in self.passed:
            *whole, rest[who] = (rest[who] + octets).split(b"\r\n")
            lines += [f"{who}: {line.decode(errors='replace')}" for line in whole]
        return lines
