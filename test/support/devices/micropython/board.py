# Runs the device as main.py does, without Wi-Fi.
import bridge
import flash
from performed import PerformedActions
from signed_message import device_key
from umqtt.simple import MQTTClient
from valve import Device

PerformedActions.LIMIT = bridge.remembered()
client = MQTTClient()
device = Device(
    client,
    "house/kitchen",
    device_key(b"example secret, replace it", "house/kitchen"),
    lambda: {"temperature": 20.52, "humidity": 50.0},
    lambda: True,
    "/flash/",
)
device.connect()
device.send_reading()
