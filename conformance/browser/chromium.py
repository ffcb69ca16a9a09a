"""Chromium without a window, driven over a pipe: the DevTools protocol and nothing else."""

import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import signal
import tempfile
import time

NAMES = ["chromium", "chromium-browser", "google-chrome"]
# How long an answer may take, in seconds.
PATIENCE = 60


class Broken(Exception):
    """The browser did not do what it was asked, or the page did not."""


def find():
    """The browser of this machine, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """A browser with one page."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        # It reads commands from descriptor 3 and answers at 4; ours must not be in their way.
        theirs_in, self.out = (high(one) for one in os.pipe())
        self.answers, theirs_out = (high(one) for one in os.pipe())
        words = [find(), "--headless", "--no-sandbox", "--disable-background-networking"]
        words += ["--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"]
        words += ["--no-first-run", f"--user-data-dir={self.profile}", "about:blank"]
        quiet = os.open(os.devnull, os.O_WRONLY)
        actions = [(os.POSIX_SPAWN_DUP2, theirs_in, 3), (os.POSIX_SPAWN_DUP2, theirs_out, 4)]
        actions += [(os.POSIX_SPAWN_DUP2, quiet, 1), (os.POSIX_SPAWN_DUP2, quiet, 2)]
        self.process = os.posix_spawn(
            words[0], words, os.environ, file_actions=actions, setpgroup=0
        )
        for one in (theirs_in, theirs_out, quiet):
            os.close(one)
        self.read = b""
        self.number = 0
        self.events = []
        self.session = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.process, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.process, 0)
        os.close(self.out)
        os.close(self.answers)
        shutil.rmtree(self.profile, ignore_errors=True)

    def ask(self, method, **parameters):
        """Sends a command; gives its result."""
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.out, json.dumps(command).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") != self.number:
                self.events.append(message)
            elif "error" in message:
                raise Broken(f"{method}: {message['error']['message']}")
            else:
                return message["result"]

    def message(self):
        """The next message."""
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self.read:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                raise Broken(f"Chromium says nothing for {PATIENCE} s")
            octets = os.read(self.answers, 1 << 20)
            if not octets:
                raise Broken("Chromium is gone")
            self.read += octets
        line, self.read = self.read.split(b"\0", 1)
        return json.loads(line)

    def event(self, method):
        """Waits for an event."""
        while True:
            for event in self.events:
                if event.get("method") == method:
                    self.events.remove(event)
                    return event["params"]
            self.events.append(self.message())

    def open(self, url):
        """Opens a page in the place of the one before."""
        # The same page with another fragment would not be loaded again.
        self.load("about:blank")
        self.load(url)

    def load(self, url):
        """Goes there and waits until all is loaded."""
        self.events = [e for e in self.events if e.get("method") != "Page.loadEventFired"]
        self.ask("Page.navigate", url=url)
        self.event("Page.loadEventFired")

    def value(self, script):
        """What the script comes to, in the page."""
        answer = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise Broken(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def screen(self, width, height, phone=False):
        """Sets the size of the window."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=phone,
        )

    def click(self, selector):
        """Clicks into the middle of an element, which must be in sight and on top."""
        x, y = self.value(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "const b = e.getBoundingClientRect(), x = b.x + b.width / 2, y = b.y + b.height / 2;"
            "const top = document.elementFromPoint(x, y);"
            "return e.contains(top) ? [x, y] : [-1, -1]; })()"
        )
        if x < 0:
            raise Broken(f"{selector} cannot be clicked: something is over it")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    def press(self, key):
        """Presses a key and lets it go."""
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def type(self, text):
        """Types into what has the focus."""
        self.ask("Input.insertText", text=text)

    def picture(self, path):
        """Saves what is seen."""
        octets = base64.b64decode(self.ask("Page.captureScreenshot")["data"])
        pathlib.Path(path).write_bytes(octets)

    def complaints(self):
        """What the page wrote to the console: errors, and what its policy refused."""
        self.value("0")
        kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [event["params"] for event in self.events if event.get("method") in kinds]


def high(descriptor):
    """The descriptor, under a number above those that Chromium uses."""
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return copy
