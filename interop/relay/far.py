"""The far side: a server that does what it is told, at an address of its own."""

import socketserver
import threading
import time

# In place of a reply: the connection is closed.
DROP = object()
EXTENSIONS = ["PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"]


class Far(socketserver.ThreadingTCPServer):
    """Listens at port 25 of `ip`.

    `script` says what is answered to a verb (or at the greeting: `connect`, in the middle of a
    message: `body`, after it: `end`): a reply, or DROP; or a list of those for one time after the
    other, of which the last stays; or a function of the line. Without it, the answer is a good one.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100
    good = {
        "EHLO": "250 far.test",
        "connect": "220 far.test ESMTP",
        "HELO": "250 far.test",
        "MAIL": "250 2.1.0 OK",
        "RCPT": "250 2.1.5 OK",
        "DATA": "354 go on",
        "no recipients": "554 5.5.1 no valid recipients",
        "body": None,
        "end": "250 2.0.0 OK",
        "RSET": "250 2.0.0 OK",
        "QUIT": "221 2.0.0 bye",
    }

    def __init__(self, ip, script, extensions=EXTENSIONS, pace=0):
        self.script = {step: list(it) if isinstance(it, list) else it for step, it in script.items()}
        *lines, last = ["far.test", *extensions]
        self.hello = "".join(f"250-{line}\r\n" for line in lines) + f"250 {last}"
        self.pace = pace
        # The messages that were taken, and those that came whole.
        self.taken, self.whole = [], []
        self.dialogue = []
        super().__init__((ip, 25), Session)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def answer(self, step, line=""):
        """What is said at this step."""
        default = self.hello if step == "EHLO" else self.good.get(step, "500 5.5.1 what?")
        reply = self.script.get(step, default)
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        return reply(line) if callable(reply) else reply


class Dropped(Exception):
    """The connection is to be closed."""


class Session(socketserver.StreamRequestHandler):
    """A connection to it."""

    recipients = 0

    def handle(self):
        try:
            self.say("connect")
            while line := self.rfile.readline():
                self.command(line.decode(errors="replace").rstrip("\r\n"))
        except (Dropped, OSError):
            pass

    def say(self, step, line=""):
        """Answers; gives the first digit."""
        reply = self.server.answer(step, line)
        if reply is DROP:
            raise Dropped
        if reply is not None:
            time.sleep(self.server.pace)
            self.server.dialogue.append(f"S: {reply}")
            self.wfile.write(reply.encode() + b"\r\n")
            if reply.startswith(("221", "421")):
                raise Dropped
        return (reply or " ")[0]

    def command(self, line):
        """One command."""
        self.server.dialogue.append(f"C: {line}")
        verb = line.split(" ")[0].upper()
        if verb == "DATA" and not self.recipients:
            verb = "no recipients"
        answer = self.say(verb, line)
        if verb == "RCPT":
            self.recipients += answer == "2"
        if answer == "3":
            self.message()
            self.recipients = 0

    def message(self):
        """What follows DATA."""
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
            if len(lines) == 5:
                self.say("body")
        if not line:
            raise Dropped
        octets = b"".join(lines)
        self.server.whole.append(octets)
        if self.say("end") == "2":
            self.server.taken.append(octets)
