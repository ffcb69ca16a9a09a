"""A submission server whose SCRAM and TLS are other people's: GNU SASL's, and OpenSSL's by pyOpenSSL.

    python sasl_peer.py CERTIFICATE KEY USER PASSWORD TOKEN FOLDER

It says where it listens. A line tells by which mechanism somebody has logged in; a message becomes
the file of that name in FOLDER.
"""

import base64
import ctypes
import json
import pathlib
import re
import socket
import sys

from OpenSSL import SSL

CERTIFICATE, KEY, USER, PASSWORD, TOKEN, FOLDER = sys.argv[1:]
BOUND = "SCRAM-SHA-256-PLUS"
# RFC 7628 section 3.1, and what Google and Microsoft have written down of the other.
TOKENS = {
    "OAUTHBEARER": r"n,a=(?P<user>[^,]+),\x01(?:[a-z]+=[^\x01]+\x01)*?auth=Bearer (?P<token>\S+)\x01\x01",
    "XOAUTH2": r"user=(?P<user>[^\x01]+)\x01auth=Bearer (?P<token>\S+)\x01\x01",
}
MECHANISMS = (BOUND, "SCRAM-SHA-256", *TOKENS)

GSASL = ctypes.CDLL("libgsasl.so.18")
GSASL.gsasl_property_fast.restype = ctypes.c_char_p
# From gsasl.h.
GSASL_NEEDS_MORE, GSASL_AUTHID, GSASL_PASSWORD, GSASL_CB_TLS_EXPORTER = 1, 1, 3, 25


class Session:
    """One client."""

    def __init__(self, stream):
        self.stream = stream
        self.buffer = b""
        self.secure = False
        self.mechanism = None

    def line(self):
        """The next line, without CRLF."""
        while b"\r\n" not in self.buffer:
            self.buffer += self.stream.recv(65536)
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def say(self, *lines):
        """The lines of a reply."""
        self.stream.sendall(b"".join(line.encode() + b"\r\n" for line in lines))

    def challenge(self, octets):
        """What the client answers."""
        self.say(f"334 {base64.b64encode(octets).decode()}")
        return base64.b64decode(self.line())

    def serve(self):
        """Until QUIT."""
        self.say("220 localhost ESMTP")
        while True:
            line = self.line().decode()
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                offer = f"AUTH {' '.join(MECHANISMS)}" if self.secure else "STARTTLS"
                self.say("250-localhost", f"250 {offer}")
            elif verb == "STARTTLS":
                self.starttls()
            elif verb == "AUTH":
                self.auth(*line.split(" ")[1:])
            elif verb == "DATA":
                self.say("354 go on")
                self.store()
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok" if self.mechanism else "530 5.7.0 log in")

    def starttls(self):
        """All that follows is inside TLS."""
        self.say("220 go on")
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_chain_file(CERTIFICATE)
        context.use_privatekey_file(KEY)
        self.stream = SSL.Connection(context, self.stream)
        self.stream.set_accept_state()
        self.stream.do_handshake()
        self.secure = True

    def auth(self, mechanism, first=""):
        """A login. A client that may speak first does so with the command, or is asked."""
        first = base64.b64decode(first) if first else self.challenge(b"")
        good = self.token(mechanism, first) if mechanism in TOKENS else self.scram(mechanism, first)
        if good:
            self.mechanism = mechanism
            print(f"logged in by {mechanism}", flush=True)
        self.say("235 2.7.0 welcome" if good else "535 5.7.8 no")

    def scram(self, mechanism, said):
        """RFC 5802; RFC 9266 for what it is bound to."""
        context, session = ctypes.c_void_p(), ctypes.c_void_p()
        GSASL.gsasl_init(ctypes.byref(context))
        GSASL.gsasl_server_start(context, mechanism.encode(), ctypes.byref(session))
        GSASL.gsasl_property_set(session, GSASL_PASSWORD, PASSWORD.encode())
        exported = self.stream.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        GSASL.gsasl_property_set(session, GSASL_CB_TLS_EXPORTER, base64.b64encode(exported))
        answer, status = ctypes.c_char_p(), GSASL_NEEDS_MORE
        while status == GSASL_NEEDS_MORE:
            said = base64.b64encode(said)
            status = GSASL.gsasl_step64(session, said, ctypes.byref(answer))
            # The last one proves that we know the password, and wants nothing but an empty line.
            if status in (0, GSASL_NEEDS_MORE):
                said = self.challenge(base64.b64decode(answer.value))
        name = GSASL.gsasl_property_fast(session, GSASL_AUTHID)
        GSASL.gsasl_finish(session)
        GSASL.gsasl_done(context)
        return (status, name, said) == (0, USER.encode(), b"")

    def token(self, name, message):
        """RFC 7628 section 3.2: who is refused is told why, and has to answer."""
        said = re.fullmatch(TOKENS[name], message.decode())
        if said and (said["user"], said["token"]) == (USER, TOKEN):
            return True
        self.challenge(json.dumps({"status": "invalid_token"}).encode())
        return False

    def store(self):
        """The message, without the stuffed dots."""
        lines = []
        while (line := self.line()) != b".":
            lines.append(line.removeprefix(b".") + b"\r\n")
        pathlib.Path(FOLDER, self.mechanism).write_bytes(b"".join(lines))


def main():
    """One client after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                try:
                    Session(client).serve()
                except (OSError, SSL.Error) as error:
                    print(f"cut: {error!r}", flush=True)


if __name__ == "__main__":
    main()
