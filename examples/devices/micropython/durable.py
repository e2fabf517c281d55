# Files that a reset or a power cut leaves whole: the old text or the new one.
import os


def sync(file):
    """Has what was written in flash. On littlefs, flush does that; FAT needs os.sync(), which not every board has."""
    file.flush()
    if hasattr(os, "sync"):
        os.sync()


def write_whole(path, text):
    """Replaces a file. A text must end with a line feed. Raises OSError where it could not be stored."""
    with open(path + ".new", "w") as file:
        file.write(text)
        sync(file)
    # On littlefs in one step. FAT removes the old file first: if the power fails then, only the new one is there.
    os.rename(path + ".new", path)


def read_whole(path):
    """The text of a file; empty where there is none yet."""
    text = _read(path)
    if text is None:
        text = _read(path + ".new")
        # Without its end it was never in use.
        if text is None or not text.endswith("\n"):
            return ""
        os.rename(path + ".new", path)
    return text


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError as error:
        if error.errno != 2:  # There is no such file.
            raise
    return None
