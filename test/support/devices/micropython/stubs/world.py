# What surrounds a board: time that passes only where the board waits, NTP, and a broker that sends what the test says. The
# current folder is the board's flash.
import os
import time

import flash

# What ntptime.settime() does, one after the other, then always the last: None, or an exception.
ntp = [None]
# What each connection receives after CONNACK and SUBACK, one after the other, then always the last; or what CONNECT raises.
connections = [b""]
CONNACK = b"\x20\x02\x00\x00"
SUBACK = b"\x90\x03\x00\x01\x01"
wifi = True
answers_pings = True
# When the connection ends, in milliseconds.
lose_at = None
# What the broker sends later: pairs of milliseconds and bytes.
later = []

# When settime() was called, and what was sent.
asked = []
sent = []
opened = 0
closed = 0
# The longest time between two calls of the watchdog's feed().
longest = 0
# The least that sleep_ms() sleeps, to get through a long time.
step = 0
fed = None
clock = 0
ends = 0
ticks = 0


class End(BaseException):
    """The time of the test is over."""


class Hang(BaseException):
    """The board waits for what will never come, without a time-out."""


def next_of(values):
    value = values.pop(0) if len(values) > 1 else values[0]
    if isinstance(value, BaseException):
        raise value
    return value


def pass_time(milliseconds):
    global ticks, clock
    ticks += milliseconds
    clock += milliseconds
    if ticks > ends:
        raise End


def feed():
    global fed, longest
    if fed is not None:
        longest = max(longest, ticks - fed)
    fed = ticks


def settime():
    global clock
    asked.append(ticks)
    next_of(ntp)
    clock = 1700000000000 + ticks


class Socket:
    def __init__(self):
        global opened
        opened += 1
        self.open = True
        self.timeout = None
        self.incoming = b""

    def settimeout(self, seconds):
        self.timeout = seconds

    def setblocking(self, blocking):
        self.timeout = None if blocking else 0

    def read(self, count):
        global lose_at
        if lose_at is not None and ticks >= lose_at:
            lose_at = None
            return b""
        if later and ticks >= later[0][0]:
            self.incoming += later.pop(0)[1]
        data = self.incoming[:count]
        self.incoming = self.incoming[count:]
        if data:
            return data
        if self.timeout is None:
            raise Hang
        if self.timeout == 0:
            return None
        pass_time(self.timeout * 1000)
        raise OSError(110)

    def write(self, data):
        sent.append(bytes(data))
        if data == b"\xc0\x00" and answers_pings:
            self.incoming += b"\xd0\x00"

    def close(self):
        global closed
        closed += self.open
        self.open = False




def publish(payload, topic=b"actions/house/kitchen/valve", retain=False, claimed=None):
    """A PUBLISH packet at QoS 1, with packet id 7."""
    length = 4 + len(topic) + (len(payload) if claimed is None else claimed)
    packet = bytearray([0x33 if retain else 0x32])
    while length > 127:
        packet.append(length & 127 | 128)
        length >>= 7
    packet.append(length)
    return bytes(packet) + bytes([len(topic) >> 8, len(topic) & 255]) + topic + b"\x00\x07" + payload


def run(seconds):
    """Runs main.py for so long."""
    global ends
    ends = ticks + 1000 * seconds
    try:
        import main
    except End:
        print("ran", seconds, "s, sockets left open:", opened - closed)


time.ticks_ms = lambda: ticks % (1 << 29)
time.ticks_diff = lambda after, before: (after - before + (1 << 28)) % (1 << 29) - (1 << 28)
time.time_ns = lambda: clock * 1000000
time.sleep = lambda seconds: pass_time(1000 * seconds)
time.sleep_ms = lambda milliseconds: pass_time(max(milliseconds, step))
os.chdir("/flash")
with open("ca.der", "w") as file:
    file.write("certificate")
