"""A client that sends exactly the octets it is told to, and reads replies."""

import socket
import ssl

TIMEOUT = 20


def blind_tls():
    """A TLS context that trusts anyone: the servers here made their certificates themselves."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Closed(Exception):
    """The server closed the connection."""


class Wire:
    """A connection to an SMTP server."""

    def __init__(self, port, timeout=TIMEOUT):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, octets):
        """Sends `octets` as they are."""
        self.socket.sendall(octets)

    def line(self):
        """The next line, without CRLF."""
        while b"\r\n" not in self.buffer:
            try:
                more = self.socket.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                raise Closed(f"closed after {self.buffer!r}")
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def reply(self):
        """The code of the next reply."""
        while True:
            line = self.line()
            if line[3:4] != b"-":
                return int(line[:3])

    def command(self, octets):
        """Sends a line; gives the code of the reply."""
        self.send(octets + b"\r\n")
        return self.reply()

    def rest(self):
        """The codes of all replies until the server closes, or is silent for the time-out."""
        codes = []
        try:
            while True:
                codes.append(self.reply())
        except (Closed, TimeoutError, ConnectionError):
            return codes

    def start_tls(self):
        """The handshake."""
        self.socket = blind_tls().wrap_socket(self.socket)

    def greet(self):
        """Greeting and EHLO."""
        codes = [self.reply(), self.command(b"EHLO client.example")]
        if codes != [220, 250]:
            raise Closed(f"greeted with {codes}")

    def envelope(self, recipient=b"you@localhost"):
        """MAIL and RCPT."""
        codes = [
            self.command(b"MAIL FROM:<sender@client.example>"),
            self.command(b"RCPT TO:<" + recipient + b">"),
        ]
        if codes != [250, 250]:
            raise Closed(f"the envelope was answered {codes}")
