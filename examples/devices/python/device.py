#!/usr/bin/env python3
"""A climate sensor: reads, signs and publishes to sensors/<site>/<device>/climate until it is stopped."""

import argparse
import base64
import binascii
import collections
import logging
import math
import os
import secrets
import signal
import ssl
import sys
import threading
import time

import paho.mqtt.client as mqtt

from signed_message import device_key, sign, stamped

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


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="The key may also be in the environment, as DEVICE_KEY (base64); the broker's password as MQTT_PASSWORD.",
    )
    place = parser.add_argument_group("device")
    place.add_argument("--site", default="house", help="second level of the topic (default: %(default)s)")
    place.add_argument("--device", default="kitchen", help="third level of the topic (default: %(default)s)")
    place.add_argument("--interval", type=float, default=10, help="seconds between two readings (default: %(default)s)")
    place.add_argument("--count", type=int, help="stop after so many readings (default: never)")

    key = parser.add_argument_group("key, one of").add_mutually_exclusive_group()
    key.add_argument("--key-file", help="file with this device's key in base64, as the keyring's dialog shows it")
    key.add_argument("--shared-secret", help="the keyring's secret, where all devices share it")
    key.add_argument(
        "--master-secret",
        help="the keyring's master secret, to make this device's key from; for trying out: a real device holds its own key only",
    )

    broker = parser.add_argument_group("broker")
    broker.add_argument("--broker", default="localhost", help="host name (default: %(default)s)")
    broker.add_argument("--port", type=int, help="default: 1883, with TLS 8883")
    broker.add_argument("--protocol", choices=["3.1.1", "5"], default="5", help="MQTT version (default: %(default)s)")
    broker.add_argument("--client-id", help="must be unique at the broker (default: made from site, device and a random part)")
    broker.add_argument("--username", help="user name at the broker")
    broker.add_argument("--tls", action="store_true", help="use TLS; the broker's certificate is always checked")
    broker.add_argument("--ca-file", help="certificate authority of the broker, PEM (default: those of the system)")
    broker.add_argument("--certificate", help="this device's own certificate, PEM")
    broker.add_argument("--certificate-key", help="private key of this device's certificate, PEM")

    arguments = parser.parse_args()
    if arguments.interval <= 0:
        parser.error("--interval must be more than 0")
    if not arguments.tls and (arguments.ca_file or arguments.certificate):
        parser.error("--ca-file and --certificate need --tls")
    try:
        arguments.key = key_of(arguments)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return arguments


def key_of(arguments: argparse.Namespace) -> bytes:
    if arguments.shared_secret:
        return arguments.shared_secret.encode("utf-8")
    if arguments.master_secret:
        return device_key(arguments.master_secret.encode("utf-8"), f"{arguments.site}/{arguments.device}")
    if arguments.key_file:
        with open(arguments.key_file, encoding="ascii") as file:
            text = file.read().strip()
    else:
        text = os.environ.get("DEVICE_KEY", "")
    if not text:
        raise ValueError("no key: give --key-file, --shared-secret or --master-secret, or set DEVICE_KEY")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("the key is not base64") from None


def make_client(arguments: argparse.Namespace) -> mqtt.Client:
    # Two clients with one id push each other off the broker, for ever.
    client_id = arguments.client_id or f"{arguments.site}-{arguments.device}-{secrets.token_hex(4)}"
    protocol = mqtt.MQTTv5 if arguments.protocol == "5" else mqtt.MQTTv311
    if hasattr(mqtt, "CallbackAPIVersion"):  # paho-mqtt 2
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol)
    else:
        client = mqtt.Client(client_id=client_id, protocol=protocol)
    if arguments.username:
        client.username_pw_set(arguments.username, os.environ.get("MQTT_PASSWORD"))
    if arguments.tls:
        context = ssl.create_default_context(cafile=arguments.ca_file)
        if arguments.certificate:
            context.load_cert_chain(arguments.certificate, arguments.certificate_key)
        client.tls_set_context(context)
    client.reconnect_delay_set(min_delay=1, max_delay=60)
    return client


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

    def on_connect_fail(*_arguments):
        # Called where the error is being handled; paho does not pass it on.
        log.error("cannot connect to %s: %s", arguments.broker, sys.exc_info()[1] or "no answer")

    def on_disconnect(*_arguments):
        connected.clear()
        if not stopping.is_set():
            log.warning("connection lost, readings are kept until it is back")

    client = make_client(arguments)
    client.on_connect, client.on_connect_fail, client.on_disconnect = on_connect, on_connect_fail, on_disconnect
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_signal: stopping.set())

    # Several readings fit into one keep-alive, so one that is late costs no connection. MQTT has 16 bits for it.
    keep_alive = min(65_535, max(30, math.ceil(3 * arguments.interval)))
    client.connect_async(arguments.broker, arguments.port or (8883 if arguments.tls else 1883), keep_alive)
    client.loop_start()

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
