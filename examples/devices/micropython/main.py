# Runs on the board after each reset. Copy it together with the other files, umqtt.simple and config.py; see README.md.
import gc
import time

import config
import machine
import network
import ntptime
from clock import Clock
from mqtt_client import Client
from signed_message import MAXIMUM_BYTES, read_key
from valve import Device

READING_MILLISECONDS = 10000
PING_MILLISECONDS = 20000
# Pings are answered, so a broker that says nothing for so long has gone.
SILENCE_MILLISECONDS = 60000
# A connection that has lasted so long was a good one: the next fault is a new one.
GOOD_MILLISECONDS = 60000
NETWORK_SECONDS = 30
# For each step of the network. Less than the watchdog's time.
STEP_SECONDS = 6
LONGEST_PAUSE_SECONDS = 64


def read_sensor():
    """Replace this by your hardware. The names are those of the registry's fields."""
    return {"temperature": 20.5, "humidity": 50.0}


def start_watchdog():
    """Resets the board when nothing below has called the function that this gives, for a minute."""
    if not config.WATCHDOG:
        return lambda: None
    try:
        return machine.WDT(timeout=60000).feed
    except ValueError:
        # All that a Pico has.
        return machine.WDT(timeout=8388).feed


def wait(seconds):
    for _ in range(seconds):
        feed()
        clock.count()
        time.sleep(1)


def connect_network():
    station = network.WLAN(network.STA_IF)
    station.active(True)
    if station.isconnected():
        return
    station.connect(config.WIFI_NAME, config.WIFI_PASSWORD)
    for _ in range(NETWORK_SECONDS):
        if station.isconnected():
            return
        wait(1)
    station.disconnect()
    raise OSError("no Wi-Fi")


def tls():
    """TLS with the broker's certificate checked against the authority in ca.der."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    with open("ca.der", "rb") as file:
        context.load_verify_locations(cadata=file.read())
    return context


def make_device():
    client = Client(
        config.DEVICE.replace("/", "-"),
        config.BROKER,
        tls(),
        STEP_SECONDS,
        MAXIMUM_BYTES,
        feed,
        user=config.USER,
        password=config.PASSWORD,
        keepalive=60,
    )
    return Device(client, config.DEVICE, key, read_sensor, clock.is_right)


def run():
    """Until the connection is lost, which is an exception."""
    global pause
    device.connect()
    client = device.client
    connected = pinged = read = time.ticks_ms()
    device.send_reading()
    while True:
        feed()
        client.check_msg()
        clock.keep()
        now = time.ticks_ms()
        if time.ticks_diff(now, read) >= READING_MILLISECONDS:
            read = now
            device.send_reading()
        if time.ticks_diff(now, pinged) >= PING_MILLISECONDS:
            pinged = now
            client.ping()
        if time.ticks_diff(now, client.heard) >= SILENCE_MILLISECONDS:
            raise OSError("the broker does not answer")
        if time.ticks_diff(now, connected) >= GOOD_MILLISECONDS:
            connected = now
            pause = 1
        time.sleep_ms(50)


# A key that was mistyped ends here, with a message.
key = read_key(config.KEY)
feed = start_watchdog()
clock = Clock(ntptime.settime)
device = None
pause = 1
while True:
    # Nothing that the network, the broker or the flash does may end this.
    try:
        connect_network()
        feed()
        clock.keep()
        # Signed times, expiry and certificates need the true time.
        if clock.is_set:
            feed()
            device = device or make_device()
            run()
    except Exception as error:
        print("no connection:", repr(error))
    if device:
        device.client.close()
    gc.collect()
    print("again in", pause, "s")
    wait(pause)
    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
