"""The memory of a device that acts: which actions it has performed. It outlives a crash and a power cut."""

import json
import os
import time
from typing import Callable, Dict, NamedTuple, Optional

# A performed action is remembered for so long after it has expired, in case the clock is set back.
KEPT_SECONDS = 86_400


class Entry(NamedTuple):
    expires: int
    done: bool


class PerformedActions:
    """A file with a line for each step: an action begins, an action is done. Each line is on the disk (fsync) when the
    method returns. Raises OSError where that is not possible: then the action must not be performed, or not be
    acknowledged."""

    def __init__(self, path: str, now: Callable[[], float] = time.time):
        self._path = path
        self._now = now
        self._file: Optional[int] = None
        self._entries: Dict[str, Entry] = {}
        self._open()

    def get(self, action: str) -> Optional[Entry]:
        return self._entries.get(action)

    def begin(self, action: str, expires: int) -> None:
        self._write(action, Entry(expires, False))

    def done(self, action: str) -> None:
        self._write(action, self._entries[action]._replace(done=True))

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, action: str, entry: Entry) -> None:
        if self._file is None:
            self._open()
        try:
            _append(self._file, _line(action, entry))
        except OSError:
            # Half a line may be in the file: it is written anew before the next one.
            self.close()
            raise
        self._entries[action] = entry

    def _open(self) -> None:
        """Reads the file and writes it anew, without what is long expired and without a line that a crash cut off."""
        self._entries.update(self._read())
        oldest = self._now() - KEPT_SECONDS
        self._entries = {action: entry for action, entry in self._entries.items() if entry.expires > oldest}
        fresh = f"{self._path}.new"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            _append(file, b"".join(_line(action, entry) for action, entry in self._entries.items()))
            os.replace(fresh, self._path)
            self._sync_folder()
        except OSError:
            os.close(file)
            raise
        self._file = file

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
            entries[step["id"]] = Entry(step["expires"], step["done"])
        return entries

    def _sync_folder(self) -> None:
        if os.name != "posix":
            return
        folder = os.open(os.path.dirname(os.path.abspath(self._path)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _line(action: str, entry: Entry) -> bytes:
    return json.dumps({"id": action, "expires": entry.expires, "done": entry.done}).encode("ascii") + b"\n"


def _append(file: int, lines: bytes) -> None:
    while lines:
        lines = lines[os.write(file, lines) :]
    os.fsync(file)
