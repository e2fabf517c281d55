"""The options that the devices have in common: their place, their key, and the connection to the broker."""

import argparse
import logging
import os
import secrets
import ssl
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from .message import device_key, read_key

log = logging.getLogger("device")


def parser(description: str) -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=description,
        epilog="The key may also be in the environment, as DEVICE_KEY (base64); the broker's password as MQTT_PASSWORD.",
    )
    place = options.add_argument_group("device")
    place.add_argument("--site", default="house", help="second level of the topic (default: %(default)s)")
    place.add_argument("--device", default="kitchen", help="third level of the topic (default: %(default)s)")

    key = options.add_argument_group("key, one of").add_mutually_exclusive_group()
    key.add_argument("--key-file", help="file with this device's key in base64, as the keyring's dialog shows it")
    key.add_argument("--shared-secret", help="the keyring's secret, where all devices share it")
    key.add_argument(
        "--master-secret",
        help="the keyring's master secret, to make this device's key from; for trying out: a real device holds its own key only",
    )

    broker = options.add_argument_group("broker")
    broker.add_argument("--broker", default="localhost", help="host name (default: %(default)s)")
    broker.add_argument("--port", type=int, help="default: 1883, with TLS 8883")
    broker.add_argument("--protocol", choices=["3.1.1", "5"], default="5", help="MQTT version (default: %(default)s)")
    broker.add_argument("--client-id", help="must be unique at the broker (default: made from site and device)")
    broker.add_argument("--username", help="user name at the broker")
    broker.add_argument("--tls", action="store_true", help="use TLS; the broker's certificate is always checked")
    broker.add_argument("--ca-file", help="certificate authority of the broker, PEM (default: those of the system)")
    broker.add_argument("--certificate", help="this device's own certificate, PEM")
    broker.add_argument("--certificate-key", help="private key of this device's certificate, PEM")
    return options


def parse(options: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments, with the device's key as `key` and the port filled in."""
    arguments = options.parse_args()
    if not arguments.tls and (arguments.ca_file or arguments.certificate):
        options.error("--ca-file and --certificate need --tls")
    arguments.port = arguments.port or (8883 if arguments.tls else 1883)
    try:
        arguments.key = _key_of(arguments)
    except (OSError, ValueError) as error:
        options.error(str(error))
    return arguments


def _key_of(arguments: argparse.Namespace) -> bytes:
    if arguments.shared_secret:
        return arguments.shared_secret.encode("utf-8")
    if arguments.master_secret:
        return device_key(arguments.master_secret.encode("utf-8"), f"{arguments.site}/{arguments.device}")
    if arguments.key_file:
        with open(arguments.key_file, encoding="ascii", errors="replace") as file:
            text = file.read().strip()
    else:
        text = os.environ.get("DEVICE_KEY", "")
    if not text:
        raise ValueError("no key: give --key-file, --shared-secret or --master-secret, or set DEVICE_KEY")
    return read_key(text)


def make_client(arguments: argparse.Namespace, keep_session: bool) -> mqtt.Client:
    """A client that says in the log why it has no connection. With `keep_session` the broker keeps messages while it is
    away, which needs a client id that stays."""
    client_id = arguments.client_id or f"{arguments.site}-{arguments.device}"
    if not arguments.client_id and not keep_session:
        # Two clients with one id push each other off the broker, for ever.
        client_id += f"-{secrets.token_hex(4)}"
    options = {"client_id": client_id, "protocol": mqtt.MQTTv5 if arguments.protocol == "5" else mqtt.MQTTv311}
    if arguments.protocol != "5":
        options["clean_session"] = not keep_session
    if hasattr(mqtt, "CallbackAPIVersion"):  # paho-mqtt 2
        options["callback_api_version"] = mqtt.CallbackAPIVersion.VERSION2
    client = mqtt.Client(**options)
    if arguments.username:
        client.username_pw_set(arguments.username, os.environ.get("MQTT_PASSWORD"))
    if arguments.tls:
        context = ssl.create_default_context(cafile=arguments.ca_file)
        if arguments.certificate:
            context.load_cert_chain(arguments.certificate, arguments.certificate_key)
        client.tls_set_context(context)
    client.reconnect_delay_set(min_delay=1, max_delay=60)

    def on_connect_fail(*_arguments):
        # Called where the error is being handled; paho does not pass it on.
        log.error("cannot connect to %s: %s", arguments.broker, sys.exc_info()[1] or "no answer")

    client.on_connect_fail = on_connect_fail
    return client


def connect(client: mqtt.Client, arguments: argparse.Namespace, keep_alive: int, session_seconds: int = 0) -> None:
    """Starts to connect in the background, and goes on for ever."""
    more = {}
    if arguments.protocol == "5":
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = session_seconds
        more = {"clean_start": session_seconds == 0, "properties": properties}
    client.connect_async(arguments.broker, arguments.port, keep_alive, **more)
    client.loop_start()
