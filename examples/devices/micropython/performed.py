# Which actions this device has performed. It outlives a reset and a power cut.
import json
import os


class PerformedActions:
    """A file with a line for each step: an action begins, an action is done. Each line is in flash when the method returns.
    Raises OSError where that is not possible: then the action must not be performed, or not be acknowledged."""

    # So many actions that are done are remembered; the file is written anew when it holds twice as many.
    LIMIT = 64

    def __init__(self, path):
        self.path = path
        self.entries = {}
        self.lines = 0
        self.read()
        self.rewrite()

    def get(self, action):
        """None, or a pair: when it expires, and whether it is done."""
        return self.entries.get(action)

    def full(self, now):
        """True when one more action would push out one that has not expired, and could then be performed twice."""
        if len(self.entries) < self.LIMIT:
            return False
        for action in list(self.entries):
            if self.entries[action][0] < now:
                del self.entries[action]
        return len(self.entries) >= self.LIMIT

    def begin(self, action, expires):
        self.write(action, expires, False)

    def done(self, action):
        self.write(action, self.entries[action][0], True)

    def write(self, action, expires, done):
        if self.lines >= 2 * self.LIMIT:
            self.rewrite()
        try:
            with open(self.path, "a") as file:
                file.write(json.dumps([action, expires, done]) + "\n")
                _sync(file)
        except OSError:
            # Half a line may be in the file: have it written anew before the next one.
            self.lines = 2 * self.LIMIT
            raise
        self.lines += 1
        self.entries[action] = (expires, done)

    def read(self):
        try:
            with open(self.path) as file:
                for line in file:
                    # A line that a power cut has cut off was never confirmed, so nothing was done on the strength of it.
                    if line.endswith("\n"):
                        action, expires, done = json.loads(line)
                        self.entries[action] = (expires, done)
        except OSError as error:
            if error.errno != 2:  # There is no such file yet.
                raise

    def rewrite(self):
        fresh = self.path + ".new"
        with open(fresh, "w") as file:
            for action in self.entries:
                expires, done = self.entries[action]
                file.write(json.dumps([action, expires, done]) + "\n")
            _sync(file)
        os.rename(fresh, self.path)
        self.lines = len(self.entries)


def _sync(file):
    # On littlefs, flush commits the file to flash. FAT needs os.sync(), where the board has it.
    file.flush()
    if hasattr(os, "sync"):
        os.sync()
