# The interface of umqtt.simple. The connection to the broker is the test's.
import binascii

import bridge


class MQTTClient:
    def set_callback(self, callback):
        self.callback = callback

    def connect(self, clean_session=True):
        return not clean_session

    def subscribe(self, topic, qos=0):
        bridge.send("subscribe " + topic.decode())

    def publish(self, topic, message, retain=False, qos=0):
        bridge.send("publish " + topic.decode() + " " + binascii.hexlify(message).decode())

    def check_msg(self):
        line = bridge.received()
        if line:
            _, topic, message = line.split(" ")
            self.callback(topic.encode(), binascii.unhexlify(message.encode()))
            bridge.send("handled")
