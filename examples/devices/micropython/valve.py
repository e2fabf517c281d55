# A climate sensor with a valve: publishes sensors/<device>/climate, performs actions/<device>/valve.
import json
import os

from actions import ActionReceiver
from performed import PerformedActions
from signed_message import sign, stamped


class Valve:
    """Stands in for the hardware. Its file takes the place of what a real valve keeps by itself: where it stands, and here
    also which action put it there, so that it can tell after a reset."""

    def __init__(self, path):
        self.path = path
        self.state = {"position": 0.0, "action": None, "moves": 0}
        try:
            with open(path) as file:
                self.state = json.loads(file.read())
        except OSError as error:
            if error.errno != 2:  # There is no such file yet.
                raise

    def perform(self, payload):
        position = payload.get("position")
        if type(position) not in (int, float) or not 0 <= position <= 100:
            raise ValueError("no position from 0 to 100")
        state = {"position": float(position), "action": payload["id"], "moves": self.state["moves"] + 1}
        with open(self.path + ".new", "w") as file:
            file.write(json.dumps(state))
            file.flush()
        os.rename(self.path + ".new", self.path)
        self.state = state

    def was_performed(self, payload):
        return self.state["action"] == payload["id"]

    def answer(self, payload):
        return {"position": self.state["position"]}


class Device:
    """`client` is one of umqtt.simple, not connected yet; `read_sensor()` gives the fields of the registry."""

    def __init__(self, client, device, key, read_sensor, folder=""):
        self.client = client
        self.key = key
        self.read_sensor = read_sensor
        self.sensor_topic = "sensors/%s/climate" % device
        self.action_topic = "actions/%s/valve" % device
        self.valve = Valve(folder + "valve.json")
        performed = PerformedActions(folder + "performed.txt")
        self.receiver = ActionReceiver(
            key, performed, self.valve.perform, self.valve.was_performed, self.valve.answer
        )
        client.set_callback(self.on_message)

    def connect(self):
        # With a session, the broker keeps actions while the device is away. umqtt.simple cannot receive QoS 2; at QoS 1 a
        # copy may come, which does no harm here.
        self.client.connect(clean_session=False)
        self.client.subscribe(self.action_topic.encode(), qos=1)

    def send_reading(self):
        message = sign(stamped(self.read_sensor()), self.key)
        self.client.publish(self.sensor_topic.encode(), message.encode())

    def on_message(self, topic, message):
        # umqtt.simple acknowledges to the broker when this returns: what is lost before comes again.
        try:
            code, acknowledgement = self.receiver.receive(message)
        except (OSError, ValueError) as error:
            code, acknowledgement = str(error), None
        print("action:", code)
        if acknowledgement:
            # At QoS 0: QoS 1 would wait for the broker within this callback. Without an answer the action comes again.
            self.client.publish((self.action_topic + "/ack").encode(), acknowledgement.encode())
