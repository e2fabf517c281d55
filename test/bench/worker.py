"""The Python worker: verifies, checks by hand, and writes lines in batches of 1000 over one connection."""

import base64
import hashlib
import hmac
import http.client
import json
import signal
import sys
import threading
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt

BATCH = 1000
FLUSH_SECONDS = 0.2

broker, influx, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
secret = settings["secret"].encode()
measurement = settings["measurement"]
write_path = f"/write?db={settings['database']}&rp={settings['bucket']}&precision=n"
batches = SimpleQueue()
lines = []
lock = threading.Lock()


def is_number(value, minimum, maximum):
    return type(value) in (int, float) and minimum <= value <= maximum


def is_reading(payload):
    return (
        len(payload) == 4
        and is_number(payload.get("temperature"), -40, 85)
        and is_number(payload.get("humidity"), 0, 100)
        and type(payload.get("ts")) is int
        and type(payload.get("ts_ns")) is int
    )


def on_message(client, userdata, message):
    received = json.loads(message.payload)
    payload = received["payload"]
    canonical = json.dumps(payload, indent=None, separators=(",", ":"), sort_keys=True)
    digest = hmac.digest(secret, canonical.encode(), hashlib.sha256)
    if not hmac.compare_digest(digest, base64.b64decode(received["hmac"])) or not is_reading(payload):
        return
    _, site, device, _ = message.topic.split("/")
    line = (
        f"{measurement},device={device},site={site} temperature={float(payload['temperature'])!r},"
        f"humidity={float(payload['humidity'])!r} {payload['ts']}{payload['ts_ns']:09d}"
    )
    with lock:
        lines.append(line)
        if len(lines) >= BATCH:
            flush()


def flush():
    batches.put("\n".join(lines))
    lines.clear()


def write_batches():
    connection = http.client.HTTPConnection(urlsplit(influx).netloc)
    while True:
        try:
            body = batches.get(timeout=FLUSH_SECONDS)
        except Empty:
            with lock:
                if lines:
                    flush()
            continue
        connection.request("POST", write_path, body.encode())
        response = connection.getresponse()
        response.read()
        if response.status != 204:
            print(f"InfluxDB answered {response.status}", file=sys.stderr)


def new_client():
    if hasattr(mqtt, "CallbackAPIVersion"):
        return mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="bench-python")
    return mqtt.Client(client_id="bench-python")


threading.Thread(target=write_batches, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
client = new_client()
client.on_message = on_message
client.on_connect = lambda client, *_: client.subscribe(settings["filter"], 0)
url = urlsplit(broker)
client.connect(url.hostname, url.port)
client.loop_forever()
