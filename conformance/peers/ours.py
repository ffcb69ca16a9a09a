"""The servers of this repository, for the suite."""

import os
import pathlib
import re
import socket
import subprocess
import threading
import tomllib

from servers import DOMAIN, PASSWORD, PATIENCE, SIZE_LIMIT, USERS, Failed, Server

WORKSPACE = pathlib.Path(__file__).resolve().parents[2] / "Cargo.toml"


class Ours(Server):
    """A server of this repository."""

    profiles = ["default", "strict"]
    ours = True
    version = tomllib.loads(WORKSPACE.read_text())["workspace"]["package"]["version"]

    def ends_with_input(self):
        return False

    def binary(self, path):
        """A program that has been built."""
        path = self.binaries / path
        if not os.access(path, os.X_OK):
            raise Failed(f"{path} is not built")
        return path


class Mta(Ours):
    """`smtp-mta` with its Maildirs, as a server that takes mail from strangers."""

    name = "smtp-mta"
    title = "smtp-mta"
    expected = "smtp-mta"
    profiles = ["mx", "strict", "security"]
    credentials = False
    watched = True
    # One listener and what it is for, and perhaps the same one inside TLS from the first octet.
    listeners = ['role = "mx"', 'role = "mx"\ntls = "implicit"']

    def arguments(self, profile):
        return ["--dos"] if profile == "security" else []

    def is_complete(self):
        return len(self.ports) == len(self.listeners)

    def command(self):
        self.certificate()
        config = self.path / "smtp-mta.toml"
        mailboxes = ", ".join(f'"{user}"' for user in USERS if user != "postmaster")
        listeners = [f'[[listener]]\naddress = "127.0.0.1:0"\n{more}\n' for more in self.listeners]
        config.write_text(
            'hostname = "mx.example.test"\n'
            'data_dir = "data"\n'
            f'message_size_limit = "{SIZE_LIMIT}"\n'
            # No message leaves this machine.
            f'name_servers = ["127.0.0.1:{self.name_server()}"]\n'
            f'{"".join(listeners)}'
            '[tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n'
            f'[[domain]]\nname = "{DOMAIN}"\nmailboxes = [{mailboxes}]\n'
            '[[user]]\nname = "user1"\nmay_send_as = ["*"]\n'
        )
        binary = self.binary("smtp-mta")
        if self.credentials:
            subprocess.run(
                [binary, "--config", config, "user", "add", "user1"], cwd=self.path,
                input=PASSWORD, text=True, check=True, capture_output=True, timeout=PATIENCE,
            )
        return [binary, "--config", config]

    def name_server(self):
        """The port of the name server that it asks."""
        return name_server_of_nobody()

    def maildir(self, user):
        return self.path / "data" / "mail" / user


class MtaSubmission(Mta):
    """`smtp-mta` as the server of people who log in, by STARTTLS or inside TLS."""

    name = "smtp-mta-submission"
    in_garden = False
    profiles = ["submission"]
    credentials = True
    sign_in = True
    failing = "failing@nowhere.example"
    listeners = ['role = "submission"', 'role = "submissions"']

    def name_server(self):
        # It has nothing to ask before the suite runs, which then answers.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.dns = free.getsockname()[1]
        return self.dns


class MtaLmtp(Mta):
    """`smtp-mta` behind another server, which hands it mail by LMTP."""

    name = "smtp-mta-lmtp"
    in_garden = False
    profiles = ["lmtp"]
    listeners = ['role = "lmtp"']


class Example(Ours):
    """An example of an adapter. It takes mail for everybody and stores it as it came."""

    knows_its_users = False
    as_received = True
    example = None
    in_matrix = False
    in_garden = False

    def __init__(self, binaries, target, adapter):
        self.name = f"{adapter}-{self.example}"
        super().__init__(binaries, target)

    def command(self):
        folder = self.path / "mail"
        return [self.binary(f"examples/{self.name}"), "127.0.0.1:0", *self.words(folder)]

    def maildir(self, user):
        return self.path / "mail" / f"{user}@{DOMAIN}"


class Catch(Example):
    """Takes mail from everybody."""

    example = "catch"
    credentials = False

    def words(self, folder):
        """What follows the address."""
        return [folder]


class Submission(Example):
    """Takes mail from one user, after STARTTLS and AUTH."""

    example = "submission"
    profiles = ["default", "strict"]
    sign_in = True

    def words(self, folder):
        """What follows the address."""
        return ["user1", PASSWORD, folder]


class Behind(Example):
    """Believes front ends, of which the suite is one here."""

    example = "behind"
    profiles = ["default"]
    credentials = False
    trusted = True

    def arguments(self, profile):
        return ["--only", "XCL", "--only", "PROXY"]

    def command(self):
        return [self.binary(f"examples/{self.name}"), self.path / "mail"]

    def listening(self, log):
        for port, kind in re.findall(r"listening on [\d.]+:(\d+)(.*)", log):
            self.ports["proxy" if "PROXY" in kind else "address"] = int(port)
        return len(self.ports) == 2


# smtp-mta in its roles, and the examples of each adapter.
ROLES = (Mta, MtaSubmission, MtaLmtp)
EXAMPLES = (Catch, Submission, Behind)


def name_server_of_nobody():
    """The port of a name server that knows no name; it runs as long as this process."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def answer():
        while True:
            query, client = server.recvfrom(4096)
            question = query[12 : query.index(b"\0", 12) + 5]
            # RFC 1035 section 4.1.1: a response that says NXDOMAIN, with the question alone.
            server.sendto(query[:2] + b"\x81\x83\0\x01" + bytes(6) + question, client)

    threading.Thread(target=answer, daemon=True).start()
    return server.getsockname()[1]
