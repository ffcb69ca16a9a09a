"""A name server for one domain: its MX is the server, and the server is at 127.0.0.1."""

import contextlib
import socket
import struct
import threading

from peers import DOMAIN, HOST

A, MX = 1, 15
NO_ERROR, NAME_ERROR = 0, 3
RECORDS = {
    (DOMAIN, MX): (10, HOST),
    (HOST, A): bytes([127, 0, 0, 1]),
}
TIME_TO_LIVE = 60


def encoded(name):
    """A name as it is sent (RFC 1035 §3.1)."""
    labels = [label.encode() for label in name.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def answer(query):
    """The answer to a query with one question (RFC 1035 §4.1)."""
    number, flags = struct.unpack("!HH", query[:4])
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode(errors="replace").lower())
        at += 1 + length
    name, kind = ".".join(labels), struct.unpack("!H", query[at + 1 : at + 3])[0]
    data = RECORDS.get((name, kind))
    if kind == MX and data:
        data = struct.pack("!H", data[0]) + encoded(data[1])
    # C00C points to the name in the question.
    record = struct.pack("!HHHIH", 0xC00C, kind, 1, TIME_TO_LIVE, len(data)) + data if data else b""
    code = NO_ERROR if any(one == name for one, _ in RECORDS) else NAME_ERROR
    # A response, with authority; recursion as it was desired, and available.
    head = struct.pack("!HHHHHH", number, 0x8480 | flags & 0x0100 | code, 1, bool(data), 0, 0)
    return head + query[12 : at + 5] + record


@contextlib.contextmanager
def name_server():
    """Answers over UDP, on a port of the kernel's choice, which it gives."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve():
            # An empty datagram, which is no query, ends it.
            query, client = server.recvfrom(4096)
            while query:
                server.sendto(answer(query), client)
                query, client = server.recvfrom(4096)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.sendto(b"", server.getsockname())
            thread.join()
