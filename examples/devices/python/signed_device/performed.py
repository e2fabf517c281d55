"""The memory of a device that acts: which actions it has performed, and when the newest was signed. It outlives a crash and
a power cut."""

import json
import os
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

try:
    import fcntl
except ImportError:  # Windows.
    fcntl = None

# An action is remembered for so long after it has expired, in case the clock is set back.
KEPT_SECONDS = 86_400
# A file of fewer lines is not written anew.
FEWEST_LINES = 1000

BEGUN = "begun"
DONE = "done"
# Begun, and the hardware could not tell whether it was performed.
UNKNOWN = "unknown"
NOT_PERFORMED = "not performed"


class InUse(Exception):
    """Another process has the same memory: two that act upon the same messages would perform each action twice."""


# Seconds since 1970, and nanoseconds.
SignedTime = Tuple[int, int]


class Entry(NamedTuple):
    expires: int
    state: str
    signed: SignedTime = (0, 0)


class PerformedActions:
    """The memory of one action topic: a file with a line for each step: an action begins, an action is done. Each line is on the disk (fsync) when the
    method returns. Raises OSError where that is not possible: then the action must not be performed, or not be
    acknowledged. Raises InUse where another process has opened the same file."""

    def __init__(self, path: str, now: Callable[[], float] = time.time):
        self._path = path
        self._now = now
        self._file: Optional[int] = None
        self._lines = 0
        self._most_lines = 0
        self._lock = _lock(f"{path}.lock")
        # Of the action that was begun last.
        self.newest: SignedTime = (0, 0)
        self._entries = self._read()
        self._rewrite()

    def state(self, action: str) -> Optional[str]:
        """BEGUN, DONE or UNKNOWN; None: it may be begun."""
        entry = self._entries.get(action)
        return entry.state if entry else None

    def interrupted(self) -> List[str]:
        """The actions that have begun and have no outcome."""
        return [action for action, entry in self._entries.items() if entry.state == BEGUN]

    def begin(self, action: str, expires: int, signed: SignedTime) -> None:
        self._write(action, Entry(expires, BEGUN, signed))

    def done(self, action: str) -> None:
        self._write(action, self._entries[action]._replace(state=DONE))

    def settle(self, action: str, was_performed: Optional[bool]) -> None:
        """Keeps what became of an interrupted action; None: nobody can tell. One that was not performed may be begun again."""
        state = UNKNOWN if was_performed is None else DONE if was_performed else NOT_PERFORMED
        self._write(action, self._entries[action]._replace(state=state))

    def close(self) -> None:
        self._close_file()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _write(self, action: str, entry: Entry) -> None:
        if self._file is None or self._lines >= self._most_lines:
            self._rewrite()
        try:
            _append(self._file, _line(action, entry))
        except OSError:
            # Half a line may be in the file: it is written anew before the next one.
            self._close_file()
            raise
        self._lines += 1
        self._take(self._entries, action, entry)

    def _rewrite(self) -> None:
        """Writes the file anew, without what is long expired and without what a crash or an error has cut off."""
        # Whatever goes wrong from here on, the next write tries this again.
        self._close_file()
        oldest = self._now() - KEPT_SECONDS
        entries = {action: entry for action, entry in self._entries.items() if entry.expires > oldest}
        fresh = f"{self._path}.new"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            lines = [_line(action, entry) for action, entry in entries.items()]
            # Its own entry may be gone.
            lines.append(_as_line({"newest": self.newest}))
            _append(file, b"".join(lines))
            os.replace(fresh, self._path)
            self._sync_folder()
        except OSError:
            os.close(file)
            raise
        self._file = file
        self._entries = entries
        self._lines = len(lines)
        self._most_lines = max(FEWEST_LINES, 2 * len(lines))

    def _read(self) -> Dict[str, Entry]:
        entries: Dict[str, Entry] = {}
        try:
            with open(self._path, "rb") as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return entries
        # What follows the last line feed was never confirmed by fsync, so nothing was done on the strength of it.
        for line in lines[:-1]:
            step = json.loads(line)
            if "newest" in step:
                self.newest = tuple(step["newest"])
            else:
                # An earlier release kept no signed times.
                signed = tuple(step.get("signed", (0, 0)))
                self._take(entries, step["id"], Entry(step["expires"], step["state"], signed))
        return entries

    def _take(self, entries: Dict[str, Entry], action: str, entry: Entry) -> None:
        if entry.state == BEGUN:
            self.newest = entry.signed
        if entry.state == NOT_PERFORMED:
            entries.pop(action, None)
        else:
            entries[action] = entry

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _sync_folder(self) -> None:
        if os.name != "posix":
            return
        folder = os.open(os.path.dirname(os.path.abspath(self._path)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _lock(path: str) -> Optional[int]:
    """The lock ends with the process, however it ends. The file stays: removing it would let two in."""
    if fcntl is None:
        return None
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise InUse(f"another process performs actions with the same memory: it holds {path}") from None
    return file


def _line(action: str, entry: Entry) -> bytes:
    return _as_line({"id": action, **entry._asdict()})


def _as_line(values: Dict[str, Any]) -> bytes:
    return json.dumps(values).encode("ascii") + b"\n"


def _append(file: int, lines: bytes) -> None:
    while lines:
        lines = lines[os.write(file, lines) :]
    os.fsync(file)
