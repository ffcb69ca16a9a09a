"""The client under test: a program that sends standard input, told how by its arguments.

Its arguments are those of `smtp-client/examples/tokio-send.rs`. It prints `ADDR STATUS CODE
ENHANCED HOST TEXT` for each recipient, and writes the dialogue into the file behind `--trace`:
`C: ` and `S: ` lines, without secrets, and `C: [N octets]` in place of a message.
"""

import collections
import subprocess
import tempfile

from report import expect

# How long one run may take, in seconds.
PATIENCE = 60

# What became of one recipient.
Recipient = collections.namedtuple("Recipient", "address status code enhanced host text")


class Outcome:
    """What one run of the client did."""

    def __init__(self, exit_code, output, errors, trace):
        self.exit_code = exit_code
        self.errors = errors
        self.trace = trace
        # How often it did not wait for a reply, if that could be seen.
        self.groups = None
        self.recipients = [
            Recipient(*(line.split(" ", 5) + [""] * 6)[:6]) for line in output.splitlines()
        ]

    def told(self):
        """Everything that helps to see what went wrong."""
        lines = [" ".join(one) for one in self.recipients] + self.errors.splitlines()[-5:]
        return "\n".join([f"exit status {self.exit_code}", *lines, *self.trace[-30:]])

    def expect(self, condition, what):
        """Fails unless `condition` holds."""
        expect(condition, f"{what}\n{self.told()}")

    def expect_statuses(self, statuses, exit_code):
        """Fails unless each recipient has its status, and the client ended with `exit_code`."""
        seen = [(one.address, one.status) for one in self.recipients]
        self.expect(sorted(seen) == sorted(statuses), f"recipients are {seen}, not {statuses}")
        self.expect(self.exit_code == exit_code, f"exit status {self.exit_code}, not {exit_code}")

    def commands(self, verb):
        """The commands with that verb."""
        return [line for line in self.trace if line.upper().startswith(f"C: {verb}")]

    def expect_sent(self, verb, word=""):
        """Fails unless all commands of that verb, of which there are some, hold the word."""
        commands = self.commands(verb)
        missing = not commands or any(word.upper() not in line.upper() for line in commands)
        self.expect(not missing, f"{verb} was not sent with {word!r}" if word else f"no {verb}")

    def expect_unsent(self, verb):
        """Fails if there is such a command."""
        self.expect(not self.commands(verb), f"{verb} was sent")

    def expect_reply(self, code):
        """Fails unless the server ever answered with that code."""
        seen = any(line.startswith(f"S: {code}") for line in self.trace)
        self.expect(seen, f"no reply {code}")


class Client:
    """A program with those arguments."""

    def __init__(self, path):
        self.path = path

    def send(self, octets, recipients, *options):
        """Sends the message; what came of it."""
        with tempfile.NamedTemporaryFile(prefix="delivery-") as trace:
            words = ["--trace", trace.name, "--helo", "client.example", "--timeout", "20", *options]
            for address in recipients:
                words += ["--to", address]
            result = subprocess.run(
                [self.path, *map(str, words)],
                input=octets, capture_output=True, timeout=PATIENCE, check=False,
            )  # fmt: skip
            lines = trace.read().decode(errors="replace").splitlines()
        output, errors = (text.decode(errors="replace") for text in (result.stdout, result.stderr))
        return Outcome(result.returncode, output, errors, lines)
