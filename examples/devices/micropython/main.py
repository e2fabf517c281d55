# Runs on the board after each reset. Copy it together with the other files, umqtt.simple and config.py; see README.md.
import binascii
import time

import config
import machine
import network
import ntptime
from umqtt.simple import MQTTClient
from valve import Device

READING_MILLISECONDS = 10000


def connect_network():
    station = network.WLAN(network.STA_IF)
    station.active(True)
    station.connect(config.WIFI_NAME, config.WIFI_PASSWORD)
    while not station.isconnected():
        time.sleep_ms(100)
    # Signed times and expiry need the true time.
    ntptime.settime()


def read_sensor():
    """Replace this by your hardware. The names are those of the registry's fields."""
    return {"temperature": 20.5, "humidity": 50.0}


def tls():
    """TLS with the broker's certificate checked against the authority in ca.der."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    with open("ca.der", "rb") as file:
        context.load_verify_locations(cadata=file.read())
    return context


def run():
    client = MQTTClient(
        config.DEVICE.replace("/", "-"),
        config.BROKER,
        port=8883,
        user=config.USER,
        password=config.PASSWORD,
        keepalive=60,
        ssl=tls(),
    )
    device = Device(client, config.DEVICE, binascii.a2b_base64(config.KEY), read_sensor)
    device.connect()
    last = time.ticks_ms()
    device.send_reading()
    while True:
        client.check_msg()
        if time.ticks_diff(time.ticks_ms(), last) >= READING_MILLISECONDS:
            last = time.ticks_ms()
            device.send_reading()
        time.sleep_ms(50)


connect_network()
while True:
    try:
        run()
    except OSError as error:
        print("no connection:", error)
        time.sleep(5)
