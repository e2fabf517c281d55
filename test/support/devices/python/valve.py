"""Runs the valve with a disk and a clock that the test controls, by files in the folder of the device.

`fault`       what happens to the memory of actions once the valve has moved: `full`, or `crash`
`clock-wrong` while it is there, no time service has set the clock
"""

import errno
import os
import signal
import sys

sys.path.insert(0, sys.argv.pop(1))
folder = sys.argv[sys.argv.index("--folder") + 1]

import importlib.util  # noqa: E402

from signed_device import clock  # noqa: E402

write = os.write


def faulty_write(file, data):
    fault = os.path.join(folder, "fault")
    if os.path.exists(fault) and os.path.exists(os.path.join(folder, "valve.json")):
        with open(fault, encoding="ascii") as text:
            if text.read() == "crash":
                os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return write(file, data)


os.write = faulty_write
clock.is_synchronised = lambda: not os.path.exists(os.path.join(folder, "clock-wrong"))
spec = importlib.util.spec_from_file_location("device_valve", os.path.join(sys.path[0], "valve.py"))
valve = importlib.util.module_from_spec(spec)
spec.loader.exec_module(valve)
sys.exit(valve.main())
