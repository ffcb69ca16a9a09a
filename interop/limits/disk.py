"""A disk that is full in the middle of it, and a queue that is."""

import os
import subprocess
import time

from ours import Mta, finish, send
from report import expect
from wire import Wire

# The disk. The server keeps 16 MiB of it to be able to clear up, and leaves the reserve alone.
DISK = 64 << 20
RESERVE = 4 << 20
RETRY = '[queue.retry]\nafter = "1s*"\n'
# What a full disk is answered with.
FULL = 452
AGAIN = 451


def check(report, binaries, _arguments):
    """All of it."""
    report.check("disk: full in the body", in_the_body, binaries)
    report.check("disk: full in the commit", in_the_commit, binaries)
    report.check("disk: full for the log", for_the_log, binaries)
    report.check("disk: the reserve is left alone", the_reserve, binaries)
    report.check("queue: max_messages", most_messages, binaries)
    report.check("queue: max_bytes", most_bytes, binaries)


class Small(Mta):
    """`smtp-mta` whose log is on a small disk, and its data too unless they are said not to be."""

    def __init__(self, binaries, with_data=True, reserve=RESERVE):
        super().__init__(
            binaries,
            head='message_size_limit = "1 GiB"\n',
            more=f'[queue]\nreserve = {reserve}\n{RETRY}',
        )
        self.disk = self.data if with_data else self.path / "disk"
        self.disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", self.disk]
        subprocess.run(command, check=True, capture_output=True, timeout=20)

    def errors(self):
        return open(self.disk / "log", "ab")

    def __exit__(self, *exception):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        subprocess.run(["umount", "--lazy", self.disk], check=True, timeout=20)
        super().__exit__(*exception)

    def free(self):
        """Octets."""
        disk = os.statvfs(self.disk)
        return disk.f_bavail * disk.f_frsize

    def fill(self, leave=0):
        """Another program writes until so many octets are left."""
        with open(self.disk / "other", "ab") as file:
            while (size := min(self.free() - leave, 1 << 20)) > 0:
                try:
                    file.write(bytes(size))
                    file.flush()
                except OSError:
                    return

    def clear_up(self):
        """The other program removes what it wrote."""
        (self.disk / "other").unlink()

    def recovers(self, name):
        """Sends until the message is taken: the server asks the disk again within a second."""
        until = time.monotonic() + 15
        while (codes := send(self.port, name, 1000)) != [250, 250, 354, 250]:
            expect(time.monotonic() < until, f"there is room, and a message is answered {codes}")
            time.sleep(0.2)
        return [name]

    def has(self, names):
        """Checks that each of `names` is delivered once, and nothing else."""
        self.wait_for(len(names), seconds=60)
        subjects = [path.read_bytes().split(b"Subject: <")[1] for path in self.files()]
        found = sorted(subject.split(b">")[0].decode() for subject in subjects)
        expect(found == sorted(names), f"acknowledged {sorted(names)}, stored {found}")
        until = time.monotonic() + 5
        # What is refused is removed behind the reply.
        while (left := list((self.data / "tmp").iterdir())) and time.monotonic() < until:
            time.sleep(0.05)
        expect(not left, f"left behind: {left}")


def in_the_body(binaries):
    """A message longer than the disk is refused at its end; the next one is taken."""
    with Small(binaries) as mta:
        codes = send(mta.port, "long", 2 * DISK)
        expect(codes == [250, 250, 354, FULL], f"answered {codes}")
        mta.expect_alive()
        mta.has(mta.recovers("next"))
        mta.stop()
        return f"{codes[-1]}"


def in_the_commit(binaries):
    """The disk becomes full between DATA and the end of messages, at once or while they come."""
    with Small(binaries, reserve=0) as mta:
        acknowledged, refused = [], []
        for leave in (0, 100 << 10, 1 << 20, 3 << 20):
            wires = [Wire(mta.port) for _ in range(40)]
            for wire in wires:
                wire.greet()
                wire.envelope()
                code = wire.command(b"DATA")
                expect(code == 354, f"DATA is answered {code}")
            mta.fill(leave)
            for number, wire in enumerate(wires):
                # Below 64 KiB it goes into the database, above into a file.
                name = f"{leave >> 10}-{number}"
                code = finish(wire, name, 40_000 if number % 2 else 200_000)
                if code == 250:
                    acknowledged.append(name)
                else:
                    expect(code in (FULL, AGAIN), f"answered {code}")
                    refused.append(code)
                wire.socket.close()
            mta.expect_alive()
            mta.fill()
            codes = send(mta.port, "full", 1000)
            expect(codes[-1] == FULL, f"on a full disk a new message is answered {codes}")
            mta.clear_up()
            acknowledged += mta.recovers(f"recovered-{leave}")
            mta.has(acknowledged)
        mta.stop()
        counts = ", ".join(f"{refused.count(code)} times {code}" for code in (FULL, AGAIN))
        return f"{len(acknowledged)} acknowledged and delivered once, {counts}"


def for_the_log(binaries):
    """What cannot be logged is lost, and nothing else."""
    with Small(binaries, with_data=False) as mta:
        names = mta.recovers("before")
        mta.fill()
        for number in range(100):
            codes = send(mta.port, f"full-{number}", 1000)
            expect(codes == [250, 250, 354, 250], f"answered {codes}")
            names.append(f"full-{number}")
        mta.expect_alive()
        mta.clear_up()
        size = (mta.disk / "log").stat().st_size
        names += mta.recovers("after")
        mta.has(names)
        expect((mta.disk / "log").stat().st_size > size, "nothing is logged any more")
        mta.stop()
        return f"{len(names)} acknowledged and delivered once"


def the_reserve(binaries):
    """A new message is refused at MAIL before the disk is full; so is one that says it is too long."""
    with Small(binaries) as mta:
        names = mta.recovers("before")
        with Wire(mta.port) as wire:
            wire.greet()
            code = wire.command(b"MAIL FROM:<> SIZE=%d" % (DISK - RESERVE))
            expect(code == FULL, f"a message of the disk's size is answered {code}")
        mta.fill(leave=RESERVE - 4096)
        time.sleep(1.1)
        codes = send(mta.port, "full", 1000)
        expect(codes == [FULL], f"answered {codes}")
        expect(mta.free() >= RESERVE - (1 << 20), f"{mta.free()} octets are left")
        left = mta.free()
        mta.clear_up()
        mta.has(names + mta.recovers("after"))
        mta.stop()
        return f"{left >> 10} KiB were left"


def bounded(binaries, bound):
    """One with a full queue, whose messages have nowhere to go."""
    listener = 'role = "mx"\n'
    more = (
        f"[queue]\n{bound}\n{RETRY}"
        '[[route]]\nsmarthost = { host = "127.0.0.1", port = 1, tls = "off" }\n'
    )
    head = 'relay_networks = ["127.0.0.0/8"]\n'
    return Mta(binaries, head=head, listener=listener, more=more)


def until_full(mta, size):
    """Messages that are taken before one is refused at MAIL."""
    for count in range(100):
        codes = send(mta.port, str(count), size, b"x@elsewhere.example")
        if codes == [FULL]:
            mta.expect_alive()
            return count
        expect(codes == [250, 250, 354, 250], f"answered {codes}")
    expect(False, "a hundred messages were taken")
    return None


def most_messages(binaries):
    """The fourth of three is refused at MAIL."""
    with bounded(binaries, "max_messages = 3") as mta:
        count = until_full(mta, 1000)
        expect(count == 3, f"{count} were taken")
        mta.stop()
        return f"{FULL} after {count}"


def most_bytes(binaries):
    """So is the one that would be too much, if it says how long it is."""
    with bounded(binaries, 'max_bytes = "1 MiB"') as mta:
        with Wire(mta.port) as wire:
            wire.greet()
            code = wire.command(b"MAIL FROM:<> SIZE=1048577")
            expect(code == FULL, f"answered {code}")
        for number in range(3):
            codes = send(mta.port, str(number), 300_000, b"x@elsewhere.example")
            expect(codes == [250, 250, 354, 250], f"answered {codes}")
        codes = send(mta.port, "over", 300_000, b"x@elsewhere.example")
        expect(codes[-1] == FULL, f"answered {codes}")
        mta.stop()
        return f"{FULL} after 3"
