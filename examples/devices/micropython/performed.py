# Which actions this device has performed, and when the newest was signed. It outlives a reset and a power cut.
import json

from durable import read_whole, sync, write_whole

BEGUN = "begun"
DONE = "done"
# Begun, and the hardware could not tell whether it was performed.
UNKNOWN = "unknown"
NOT_PERFORMED = "not performed"
# No action: when the one that was begun last was signed.
NEWEST = "newest"


class PerformedActions:
    """The memory of one action topic: a file with a line for each step: an action begins, an action is done. Each line is in flash when the method returns.
    Raises OSError where that is not possible: then the action must not be performed, or not be acknowledged. Make one, and
    keep it."""

    # So many actions are remembered; the file is written anew when it holds twice as many lines.
    LIMIT = 64

    def __init__(self, path):
        self.path = path
        self.entries = {}
        self.lines = 0
        # Of the action that was begun last: seconds since 1970, and nanoseconds.
        self.newest = (0, 0)
        self.read()

    def state(self, action):
        """BEGUN, DONE or UNKNOWN; None: it may be begun."""
        entry = self.entries.get(action)
        return entry[1] if entry else None

    def interrupted(self):
        """The actions that have begun and have no outcome."""
        return [action for action in self.entries if self.entries[action][1] == BEGUN]

    def full(self, now):
        """True when one more action would push out one that has not expired, and could then be performed twice."""
        if len(self.entries) < self.LIMIT:
            return False
        for action in list(self.entries):
            if self.entries[action][0] < now:
                del self.entries[action]
        return len(self.entries) >= self.LIMIT

    def begin(self, action, expires, signed):
        self.write(action, expires, BEGUN, signed)

    def done(self, action):
        self.write(action, self.entries[action][0], DONE)

    def settle(self, action, was_performed):
        """Keeps what became of an interrupted action; None: nobody can tell. One that was not performed may be begun again."""
        state = UNKNOWN if was_performed is None else DONE if was_performed else NOT_PERFORMED
        self.write(action, self.entries[action][0], state)

    def write(self, action, expires, state, signed=(0, 0)):
        if self.lines >= 2 * self.LIMIT:
            self.rewrite()
        try:
            with open(self.path, "a") as file:
                file.write(_line(action, expires, state, signed))
                sync(file)
        except OSError:
            # Half a line may be in the file: have it written anew before the next one.
            self.lines = 2 * self.LIMIT
            raise
        self.lines += 1
        self.take(action, expires, state, *signed)

    def take(self, action, expires, state, seconds=0, nanoseconds=0):
        # An earlier release kept no signed times.
        if state in (BEGUN, NEWEST):
            self.newest = (seconds, nanoseconds)
        if state == NEWEST:
            return
        if state == NOT_PERFORMED:
            self.entries.pop(action, None)
        else:
            self.entries[action] = (expires, state)

    def read(self):
        lines = read_whole(self.path).split("\n")
        # What follows the last line feed was cut off and never confirmed, so nothing was done on the strength of it.
        cut_off = lines.pop()
        for line in lines:
            self.take(*json.loads(line))
        self.lines = len(lines)
        if cut_off or self.lines >= 2 * self.LIMIT:
            self.rewrite()

    def rewrite(self):
        lines = [_line(action, *self.entries[action]) for action in self.entries]
        # Its own entry may be gone.
        lines.append(_line("", 0, NEWEST, self.newest))
        write_whole(self.path, "".join(lines))
        self.lines = len(lines)


def _line(action, expires, state, signed=(0, 0)):
    return json.dumps([action, expires, state, signed[0], signed[1]]) + "\n"
