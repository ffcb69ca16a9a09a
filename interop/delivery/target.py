"""A way into a server: what it offers there, mail sent to it, and what it has stored."""

import re
import smtplib
import ssl
import time

from message import expect_same
from peers import DOMAIN, HOST, PASSWORD, USER
from relay import Relay
from report import expect

# How long a server may take to store what it has taken, in seconds.
PATIENCE = 15

# What servers put in front of a message.
TRACE = re.compile(
    rb"(?:(?:Return-Path|Received|Delivered-To|X-Original-To|Envelope-To|Delivery-Date)"
    rb":[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)+",
    re.IGNORECASE,
)


def address(user):
    """The address of a mailbox."""
    return f"{user}@{DOMAIN}"


def message_id(sent):
    """The Message-ID of a message, by which its copies are found."""
    return re.search(rb"Message-ID: (<[^>]+>)", sent)[1]


class Target:
    """A server at one of its addresses."""

    def __init__(self, name, peer, client, unix=None):
        self.name = name
        self.peer = peer
        self.client = client
        self.unix = unix
        self.lmtp = peer.lmtp
        self.implicit = None if unix else peer.ports.get("implicit_tls")
        self.password = peer.path / "password"
        self.password.write_text(PASSWORD)
        # The stored files that no cell was waiting for.
        self.before = set(peer.stored())
        self.claimed = set()
        self.texts = {}
        self.offered, self.offered_in_tls = self.ask()

    def ask(self):
        """The extensions offered in clear and in TLS, each with its parameters."""
        kind = smtplib.LMTP if self.lmtp else smtplib.SMTP
        place = [str(self.unix)] if self.unix else ["127.0.0.1", self.peer.ports["address"]]
        with kind(*place, local_hostname="client.example") as session:
            session.ehlo()
            clear = dict(session.esmtp_features)
            if "starttls" not in clear:
                return clear, {}
            # A unix socket has no host, and smtplib wants one.
            session._host = HOST
            session.starttls(context=ssl.create_default_context(cafile=self.peer.path / "ca.pem"))
            session.ehlo()
            return clear, dict(session.esmtp_features)

    def mechanisms(self):
        """The mechanisms of AUTH inside TLS."""
        return self.offered_in_tls.get("auth", "").upper().split()

    # ── sending ──

    def server(self, implicit=False):
        """Where the server listens: an address of TCP, or the path of a unix socket."""
        port = self.implicit if implicit else self.peer.ports["address"]
        return self.unix or ("127.0.0.1", port)

    def place(self, server):
        """The arguments that lead the client there."""
        place = ["--unix", server] if self.unix else ["--server", "{}:{}".format(*server)]
        return [*place, "--lmtp"] if self.lmtp else place

    def tls(self, how="required", ca="ca.pem", name=HOST):
        """The arguments for TLS."""
        return ["--tls", how, "--ca", self.peer.path / ca, "--tls-name", name]

    def auth(self, mechanism=None, password=None):
        """The arguments for AUTH, inside TLS."""
        words = [*self.tls(), "--user", USER, "--password-file", password or self.password]
        return [*words, "--mechanism", mechanism] if mechanism else words

    def send(self, octets, users, *options, sender="sender@client.example", place=None):
        """Sends the message to the users; what came of it."""
        options = ["--from", sender, *options]
        recipients = [address(user) for user in users]
        if "--tls" in options:
            place = place or self.place(self.server())
            return self.client.send(octets, recipients, *place, *options)
        with Relay(self.server()) as relay:
            place = [*self.place(relay.address), "--tls", "none"]
            outcome = self.client.send(octets, recipients, *place, *options)
        outcome.groups = relay.groups()
        if "pipelining" not in self.offered:
            outcome.expect(not outcome.groups, "grouped, though PIPELINING is not offered")
        return outcome

    def deliver(self, octets, *options, users=("user1",), copies=1, **more):
        """Sends the message, which must arrive; what came of it."""
        outcome = self.send(octets, users, *options, **more)
        statuses = [(address(user), "sent") for user in users] * copies
        outcome.expect_statuses(statuses, 0)
        for user in users:
            self.arrives(user, octets, copies)
        return outcome

    # ── what is stored ──

    def text(self, path):
        """A stored file."""
        if path not in self.texts:
            self.texts[path] = path.read_bytes()
        return self.texts[path]

    def waiting(self, user, mark):
        """The files of the user that hold the mark and that nobody has waited for."""
        return [
            path
            for path in set(self.peer.stored()) - self.before - self.claimed
            if path.parent.parent.name == user and mark in self.text(path)
        ]

    def wait(self, user, mark, copies=1):
        """The files of the user that hold the mark, waited for."""
        deadline = time.monotonic() + PATIENCE
        while len(found := self.waiting(user, mark)) < copies and time.monotonic() < deadline:
            time.sleep(0.02)
        self.claimed.update(found)
        expect(len(found) == copies, f"{len(found)} copies are stored for {user}, not {copies}")
        return found

    def arrives(self, user, sent, copies=1):
        """Fails unless the message is stored for the user, octet for octet."""
        for path in self.wait(user, message_id(sent), copies):
            stored = self.text(path)
            if not self.peer.as_received:
                # Files have the line ends of the system.
                stored = stored.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            trace = TRACE.match(stored)
            expect(trace or self.peer.as_received, f"no trace in front: {stored[:200]!r}")
            expect_same(stored[trace.end() if trace else 0 :], sent)

    def others(self):
        """What is stored and was not to be, but for reports."""
        left = set(self.peer.stored()) - self.before - self.claimed
        return [path for path in left if path.parent.parent.name != "sender"]
