"""One line per check, a summary, an exit code."""

import os
import time


class Failed(Exception):
    """A check does not hold; the text says what was seen instead."""


def expect(condition, message):
    """Fails the check unless `condition` holds."""
    if not condition:
        raise Failed(message)


class Report:
    """What was checked, and what came of it."""

    def __init__(self, only=""):
        self.only = only
        self.passed = 0
        self.failed = 0
        self.skipped = 0

    def check(self, name, function, *args):
        """Runs a check: `function` raises, or gives the figures that its line shows."""
        if self.only not in name:
            return
        began = time.monotonic()
        try:
            figures = function(*args)
        except Exception as error:  # a check that breaks has failed, whatever broke
            self.failed += 1
            kind = "" if isinstance(error, Failed) else f"{type(error).__name__}: "
            text = "\n       ".join(str(error).splitlines())
            print(f"FAIL   {name}: {kind}{text}", flush=True)
        else:
            self.passed += 1
            took = f"{time.monotonic() - began:.2f} s"
            print(f"ok     {name} ({f'{figures}, ' if figures else ''}{took})", flush=True)

    def broken(self, name, why):
        """Says that the checks of `name` could not begin."""
        self.failed += 1
        print(f"FAIL   {name}: {why}", flush=True)

    def skip(self, name, why):
        """Says that a check cannot be made here; under CI that is a failure."""
        if self.only not in name:
            return
        if os.environ.get("CI") == "true":
            self.broken(name, why)
            return
        self.skipped += 1
        print(f"skip   {name}: {why}", flush=True)

    def summary(self, name="interop"):
        """Prints the last line; gives the exit code."""
        print(f"{name}: {self.passed} ok, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed or not self.passed else 0
