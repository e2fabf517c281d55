#!/usr/bin/env python3
"""A climate sensor: reads, signs and publishes to sensors/<site>/<device>/climate until it is stopped."""

import collections
import logging
import math
import secrets
import signal
import sys
import threading
import time

import paho.mqtt.client as mqtt

from signed_device.broker import connect, make_client, parse, parser
from signed_device.message import sign, stamped

# Readings kept while there is no connection; the oldest go first.
BUFFERED_MESSAGES = 1000
# How long --count waits for a connection before it gives up.
LAST_CHANCE_SECONDS = 10

log = logging.getLogger("device")


def read_sensor() -> dict:
    """What a real device reads from its hardware. The names are those of the registry's fields."""
    day = math.sin(2 * math.pi * time.time() / 86_400)
    noise = secrets.randbelow(100) / 100
    return {"temperature": round(20 + 5 * day + noise, 2), "humidity": round(50 - 10 * day + noise, 2)}


def parse_arguments():
    options = parser(__doc__)
    options.add_argument("--interval", type=float, default=10, help="seconds between two readings (default: %(default)s)")
    options.add_argument("--count", type=int, help="stop after so many readings (default: never)")
    arguments = parse(options)
    if arguments.interval <= 0:
        options.error("--interval must be more than 0")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    topic = f"sensors/{arguments.site}/{arguments.device}/climate"
    waiting = collections.deque(maxlen=BUFFERED_MESSAGES)
    connected, stopping = threading.Event(), threading.Event()

    def on_connect(_client, _userdata, _flags, reason, _properties=None):
        if reason != 0:
            log.error("the broker refused the connection: %s", reason)
            return
        log.info("connected, publishing to %s", topic)
        connected.set()

    def on_disconnect(*_arguments):
        connected.clear()
        if not stopping.is_set():
            log.warning("connection lost, readings are kept until it is back")

    client = make_client(arguments, keep_session=False)
    client.on_connect, client.on_disconnect = on_connect, on_disconnect
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_signal: stopping.set())
    # Several readings fit into one keep-alive, so one that is late costs no connection. MQTT has 16 bits for it.
    connect(client, arguments, min(65_535, max(30, math.ceil(3 * arguments.interval))))

    def send_waiting() -> None:
        while waiting and connected.is_set():
            # QoS 0: at most once. A reading lost on the way is followed by the next one.
            if client.publish(topic, waiting[0], qos=0).rc != mqtt.MQTT_ERR_SUCCESS:
                return
            waiting.popleft()

    taken = 0
    next_reading = time.monotonic()
    while not stopping.is_set() and (arguments.count is None or taken < arguments.count):
        waiting.append(sign(stamped(read_sensor()), arguments.key))
        taken += 1
        send_waiting()
        next_reading += arguments.interval
        stopping.wait(max(0, next_reading - time.monotonic()))

    patience = time.monotonic() + LAST_CHANCE_SECONDS
    while waiting and not stopping.is_set() and time.monotonic() < patience:
        stopping.wait(0.1)
        send_waiting()
    stopping.set()
    client.disconnect()
    client.loop_stop()
    if waiting:
        log.error("readings not sent: %d", len(waiting))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
