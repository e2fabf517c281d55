"""Whether this computer's clock is right. One that has no battery, such as a Raspberry Pi, starts in the past: what has
expired long ago looks fresh then."""

import ctypes
import logging
import os
import threading

# struct timex of Linux, as the C library declares it: how it begins, and room for the rest.
_BYTES = 512
_STA_UNSYNC = 0x40

log = logging.getLogger("device")


class _Timex(ctypes.Structure):
    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * _BYTES),
    ]


def is_synchronised() -> bool:
    """Whether a time service (NTP) has set the clock, by Linux's own account. Raises OSError where the system does not tell."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (AttributeError, OSError, TypeError):
        raise OSError("this system does not tell whether its clock is right") from None
    timex = _Timex()
    if adjtimex(ctypes.byref(timex)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return not timex.status & _STA_UNSYNC


def wait_for_clock(stopping: threading.Event, seconds: float = 1) -> None:
    """Returns when the clock is right, or when the device is to stop. Passes on OSError where nobody can tell."""
    if is_synchronised():
        return
    log.warning("waiting until NTP has set the clock; start with --clock-is-right if it is right without")
    while not stopping.wait(seconds) and not is_synchronised():
        pass
