# A climate sensor with a valve: publishes sensors/<device>/climate, performs actions/<device>/valve.
import json

from actions import ActionReceiver, Refused
from durable import read_whole, write_whole
from performed import PerformedActions
from signed_message import sign, stamped


class Valve:
    """Stands in for the hardware. Its file takes the place of what a real valve keeps by itself: where it stands, and here
    also which action put it there, so that it can tell after a reset."""

    def __init__(self, path):
        self.path = path
        text = read_whole(path)
        self.state = json.loads(text) if text else {"position": 0.0, "action": None, "moves": 0}

    def perform(self, payload):
        position = payload.get("position")
        if type(position) not in (int, float) or not 0 <= position <= 100:
            raise Refused("no position from 0 to 100")
        state = {"position": float(position), "action": payload["id"], "moves": self.state["moves"] + 1}
        write_whole(self.path, json.dumps(state) + "\n")
        self.state = state

    def was_performed(self, action):
        # It is asked before another action begins, so an interrupted one is the last or has not been performed.
        return self.state["action"] == action

    def answer(self, payload):
        return {"position": self.state["position"]}


class Device:
    """`client` is one of mqtt_client, not connected yet; `read_sensor()` gives the fields of the registry;
    `clock_is_right()` tells whether `expires` can be judged. Made once: it keeps its memory while connections come and go."""

    def __init__(self, client, device, key, read_sensor, clock_is_right, folder=""):
        self.client = client
        self.key = key
        self.read_sensor = read_sensor
        self.clock_is_right = clock_is_right
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
        try:
            message = sign(stamped(self.read_sensor()), self.key)
        except Exception as error:
            # A sensor that fails does not keep the valve from acting.
            print("no reading:", repr(error))
            return
        self.client.publish(self.sensor_topic.encode(), message.encode())

    def on_message(self, topic, message, retained=False):
        if not self.clock_is_right():
            print("action: not performed, the clock was not set for too long")
            return
        # The client acknowledges to the broker when this returns: what is lost before comes again.
        try:
            code, acknowledgement = self.receiver.receive(message, retained)
        except Exception as error:
            # Whatever goes wrong with one action, the next one is waited for.
            code, acknowledgement = repr(error), None
        print("action:", code)
        if acknowledgement:
            # At QoS 0: QoS 1 would wait for the broker within this callback. Without an answer the action comes again.
            self.client.publish((self.action_topic + "/ack").encode(), acknowledgement.encode())
