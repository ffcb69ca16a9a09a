"""The servers that mail is delivered to: how each is started, and what it has stored.

They are started as for the conformance suite (conformance/peers), with other users and limits, every
extension that the server has, and a certificate that a CA made here has signed.
"""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent.parent / "conformance" / "peers"))

import servers as suite  # noqa: E402  (behind the path that it is found by)

HOST = "mx.example.test"
DOMAIN = suite.DOMAIN
USER, PASSWORD = "user1", suite.PASSWORD
# All mailboxes; reports come to the last.
MAILBOXES = ["user1", "user2", "user3", "jürgen", "sender"]
# Dovecot's mailbox that takes no octet.
FULL = "full"
SIZE_LIMIT = 3 * 1024 * 1024


class Peer:
    """What all servers here have beyond those of the suite."""

    # What it calls itself.
    host = HOST
    lmtp = False
    # Its reports name the envelope that they are about, as RFC 3464 §2.2.1 wants it.
    reports_envid = True

    def certificate(self):
        """Writes cert.pem and key.pem, ca.pem that signed them, and other-ca.pem that did not."""
        def openssl(*words):
            command = ["openssl", *words]
            subprocess.run(command, cwd=self.path, check=True, capture_output=True, timeout=60)

        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
        for ca in ("ca", "other-ca"):
            openssl("req", "-x509", *key, "-subj", f"/CN={ca}", "-keyout", f"{ca}-key.pem",
                    "-out", f"{ca}.pem")  # fmt: skip
        openssl("req", *key, "-subj", f"/CN={self.host}", "-keyout", "key.pem", "-out", "request.pem")
        (self.path / "names").write_text(f"subjectAltName=DNS:{self.host}\n")
        signer = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial"]
        openssl("x509", "-req", "-in", "request.pem", *signer, "-days", "30", "-extfile", "names",
                "-out", "cert.pem")  # fmt: skip
        # A throw-away key, which servers read as users of their own.
        (self.path / "key.pem").chmod(0o644)

    def stored(self):
        """The files of all messages in the mailboxes."""
        return [path for path in self.path.glob("mail/*/new/*") if path.is_file()]


class Packaged(Peer, suite.Packaged):
    """A server from Debian's packages."""

    def command(self):
        return [*super().command(), HERE / "recipes"]


class Postfix(Packaged):
    """Postfix; AUTH by Cyrus SASL."""

    name = "postfix"


class Exim(Packaged):
    """Exim; AUTH by itself and GNU SASL."""

    name = "exim"


class Opensmtpd(Packaged):
    """OpenSMTPD."""

    name = "opensmtpd"
    reports_envid = False


class Sendmail(Packaged):
    """Sendmail; AUTH by Cyrus SASL."""

    name = "sendmail"


class Dovecot(Packaged):
    """Dovecot's LMTP server."""

    name = "dovecot"
    lmtp = True


class Aiosmtpd(Peer, suite.Aiosmtpd):
    """aiosmtpd."""

    def command(self):
        return [*super().command(), "--size-limit", SIZE_LIMIT, *MAILBOXES]


PEERS = {kind.name: kind for kind in (Postfix, Exim, Opensmtpd, Sendmail, Aiosmtpd, Dovecot)}
