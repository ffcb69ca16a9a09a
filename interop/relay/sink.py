"""A server that takes everything and keeps nothing: `sink.py ADDRESS FILE`.

For each message it writes a line to FILE, before it says 250: the Message-ID, and the octets from
that field to the end.
"""

import asyncio
import re
import sys

NAME = re.compile(rb"(?im)^message-id: *<([^>\r\n]*)>")
REPLIES = {
    b"EHLO": b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"HELO": b"250 sink.test\r\n",
    b"MAIL": b"250 2.1.0 OK\r\n",
    b"RCPT": b"250 2.1.5 OK\r\n",
    b"DATA": b"354 go on\r\n",
    b"RSET": b"250 2.0.0 OK\r\n",
    b"NOOP": b"250 2.0.0 OK\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}
END = b"\r\n.\r\n"


class Session(asyncio.Protocol):
    """A connection. No message has a line that begins with a dot, and none is empty."""

    def __init__(self, file):
        self.file = file
        self.buffer = bytearray()
        self.searched = 0
        self.in_message = False

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"220 mx.sink.test ESMTP\r\n")

    def data_received(self, octets):
        self.buffer += octets
        while self.message() if self.in_message else self.command():
            pass

    def command(self):
        """Takes a command; false if it is not whole."""
        end = self.buffer.find(b"\r\n")
        if end < 0:
            return False
        verb = bytes(self.buffer[:4]).upper()
        del self.buffer[: end + 2]
        self.transport.write(REPLIES.get(verb, b"500 5.5.1 what?\r\n"))
        self.in_message = verb == b"DATA"
        if verb == b"QUIT":
            self.transport.close()
        return True

    def message(self):
        """Takes a message; false if it is not whole."""
        end = self.buffer.find(END, self.searched)
        if end < 0:
            self.searched = max(0, len(self.buffer) - len(END))
            return False
        name = NAME.search(self.buffer)
        size = end + 2 - (name.start() if name else 0)
        self.file.write(b"%s %d\n" % (name[1] if name else b"?", size))
        del self.buffer[: end + len(END)]
        self.searched = 0
        self.in_message = False
        self.transport.write(b"250 2.0.0 OK\r\n")
        return True


async def main(address, path):
    """Serves until the standard input ends."""
    loop = asyncio.get_running_loop()
    # Without a buffer: what was acknowledged is in the file.
    with open(path, "ab", buffering=0) as file:
        await loop.create_server(lambda: Session(file), address, 25, backlog=100)
        print("listening", flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main(*sys.argv[1:]))
