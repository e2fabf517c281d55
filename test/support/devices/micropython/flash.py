# A folder of this computer as the board's flash. A line that has been flushed is on the disk (fsync), as on littlefs.
import bridge
import vfs


class File:
    def __init__(self, descriptor):
        self.descriptor = descriptor

    def write(self, text):
        if bridge.write(self.descriptor, text) < 0:
            raise OSError(28)

    def flush(self):
        bridge.sync(self.descriptor)

    def read(self):
        return bridge.read(self.descriptor)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        bridge.close(self.descriptor)


class Folder:
    def mount(self, _readonly, _mkfs):
        pass

    def umount(self):
        pass

    def chdir(self, path):
        pass

    def open(self, path, mode):
        descriptor = bridge.open(path, mode.replace("b", ""))
        if descriptor < 0:
            raise OSError(2)
        return File(descriptor)

    def rename(self, old, new):
        bridge.rename(old, new)


vfs.mount(Folder(), "/flash")
