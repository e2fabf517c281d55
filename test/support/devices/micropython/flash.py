# A folder of this computer as the board's flash. A line that has been flushed is on the disk (fsync), as on littlefs.
import bridge
import vfs


class File:
    def __init__(self, descriptor):
        self.descriptor = descriptor

    def write(self, text):
        bridge.write(self.descriptor, text)

    def flush(self):
        bridge.sync(self.descriptor)

    def read(self):
        return bridge.read(self.descriptor)

    def __iter__(self):
        return iter([line + "\n" for line in self.read().split("\n")[:-1]])

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        bridge.close(self.descriptor)


class Folder:
    def mount(self, _readonly, _mkfs):
        pass

    def umount(self):
        pass

    def open(self, path, mode):
        descriptor = bridge.open(path, mode)
        if descriptor < 0:
            raise OSError(2)
        return File(descriptor)

    def rename(self, old, new):
        bridge.rename(old, new)


vfs.mount(Folder(), "/flash")
