"""Servers as relays: each beside the same server as a receiver."""

import pathlib
import shutil
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "peers"))

import ours  # noqa: E402
import servers as field  # noqa: E402
from servers import PASSWORD, PATIENCE, free_ports, greets, npm_package  # noqa: E402

RECIPES = HERE / "recipes"


class Relays:
    """A server that hands mail on to one place."""

    is_relay = True
    # It leaves a receiver alone for a while that has refused something, or takes long for each message.
    waits = False
    # Seconds of silence after which nothing more comes from it.
    quiet = 12
    # The name that one signs in with, where nobody else may relay.
    relay_user = None
    # It hands mail for lmtp.test on by LMTP.
    speaks_lmtp = False

    def choose_ports(self):
        """Chooses where the relay listens, and where it hands mail on to."""
        [self.relay_port] = free_ports(1)
        # Kept, without listening, until the suite listens there: the run is long.
        self.next_hop = socket.socket()
        self.next_hop.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.next_hop.bind(("127.0.0.1", 0))
        self.next_port = self.next_hop.getsockname()[1]

    def describe_relay(self):
        """Writes the relay's target file; its path."""
        lines = [f'address = "127.0.0.1:{self.relay_port}"']
        lines.append(f'software = "{self.title or self.name} {self.version}"')
        if self.relay_user:
            lines += ["sign_in = true", "[credentials]"]
            lines += [f'user = "{self.relay_user}"', f'password = "{PASSWORD}"']
        lines += ["[mailbox]", f'capture = "127.0.0.1:{self.next_port}"']
        path = self.path / "relay.toml"
        path.write_text("\n".join(lines) + "\n")
        return path


class Packaged(Relays):
    """From Debian's packages: `recipes` starts both."""

    def command(self):
        self.choose_ports()
        # 127.0.0.0/8 is this machine's; port 53 is free on most of it.
        address = f"127.53.{self.relay_port >> 8}.{self.relay_port & 0xFF}"
        (self.path / "relay").write_text(
            f"relay_port={self.relay_port} next_port={self.next_port} name_server={address}\n"
        )
        return [*super().command(), RECIPES]

    def start(self):
        super().start()
        self.wait(lambda: not self.is_relay or greets(self.relay_port))


class Postfix(Packaged, field.Postfix):
    speaks_lmtp = True


class PostfixNoBareNewline(Packaged, field.PostfixNoBareNewline):
    speaks_lmtp = True


class Exim(Packaged, field.Exim):
    speaks_lmtp = True


class Sendmail(Packaged, field.Sendmail):
    pass


class Opensmtpd(Packaged, field.Opensmtpd):
    waits = True


class Courier(Packaged, field.Courier):
    waits = True


class Chasquid(Packaged, field.Chasquid):
    relay_user = "user1@client.example"
    waits = True


class Dovecot(Packaged, field.Dovecot):
    is_relay = False


class Alone(Relays):
    """A relay in a process of its own."""

    def start(self):
        self.choose_ports()
        self.launch()
        self.wait(lambda: greets(self.relay_port))


class Haraka(Alone, field.Haraka):
    """Haraka's outbound, with its queue."""

    def command(self):
        modules = npm_package(self.shared, "Haraka", self.version, "--before=2026-10-15")
        for config in (modules / "Haraka" / "config", HERE / "relay" / "haraka" / "config"):
            shutil.copytree(config, self.path / "config", dirs_exist_ok=True)
        shutil.copytree(HERE / "relay" / "haraka" / "plugins", self.path / "plugins")
        self.replace("smtp.ini", "@RELAY_PORT@", str(self.relay_port))
        (self.path / "config" / "next_port").write_text(f"{self.next_port}\n")
        return ["node", modules / "Haraka" / "bin" / "haraka", "-c", self.path]


class Aiosmtpd(Alone, field.Aiosmtpd):
    """aiosmtpd's handler for relays, which hands on while the client waits."""

    title = "aiosmtpd Proxy"

    def command(self):
        python = self.install(self.shared.parent)
        return [python, HERE / "relay" / "aio.py", str(self.relay_port), str(self.next_port)]


class Mta(Alone, ours.Ours):
    """`smtp-mta` with a smarthost, for who has signed in."""

    name = "smtp-mta"
    title = "smtp-mta"
    relay_user = "user1"
    speaks_lmtp = True
    # What has a NUL never comes.
    quiet = 5

    def command(self):
        self.certificate()
        config = self.path / "smtp-mta.toml"
        config.write_text(
            'hostname = "relay.client.example"\n'
            'data_dir = "data"\n'
            # What fails goes nowhere.
            f'name_servers = ["127.0.0.1:{ours.name_server_of_nobody()}"]\n'
            f'[[listener]]\naddress = "127.0.0.1:{self.relay_port}"\nrole = "submission"\n'
            '[tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n'
            '[[user]]\nname = "user1"\nmay_send_as = ["*"]\n'
            '[[route]]\nrecipients = ["example.test"]\n'
            f'smarthost = {{ host = "127.0.0.1", port = {self.next_port}, tls = "off" }}\n'
            f'[[route]]\nrecipients = ["lmtp.test"]\nlmtp = "127.0.0.1:{self.next_port}"\n'
        )
        binary = self.binary("smtp-mta")
        subprocess.run(
            [binary, "--config", config, "user", "add", self.relay_user], cwd=self.path,
            input=PASSWORD, text=True, check=True, capture_output=True, timeout=PATIENCE,
        )
        return [binary, "--config", config]


# Those that are both, those that only relay, and those that only receive.
BOTH = (Postfix, PostfixNoBareNewline, Exim, Sendmail, Opensmtpd, Courier, Chasquid)
RELAYS = (Haraka, Aiosmtpd, Mta)
RECEIVERS = (Dovecot, field.Haraka, field.Aiosmtpd, field.SmtpServer, ours.Mta)
