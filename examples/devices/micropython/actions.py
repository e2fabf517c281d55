# What a device does with an action that it receives: perform it once, or not at all, and answer. Knows no MQTT.
from signed_message import Rejected, now, sign, stamped, verify

# How far the clocks of sender and device may be apart.
FUTURE_SECONDS = 60


class ActionReceiver:
    """Performs each action once, however often its message comes.

    `perform(payload)` does it, and raises where it cannot; then there is no answer, and the action may come again.
    `was_performed(payload)` is asked about an action that a reset or an error interrupted: True, False, or None where the
    hardware cannot tell. `answer(payload)` gives more members for the acknowledgement.
    """

    def __init__(self, key, performed, perform, was_performed=lambda payload: None, answer=lambda payload: {}, now=now):
        self.key = key
        self.performed = performed
        self.perform = perform
        self.was_performed = was_performed
        self.answer = answer
        self.now = now

    def receive(self, message):
        """Judges one message and acts on it. A pair: a code, and the signed acknowledgement to publish or None."""
        try:
            payload, _ = verify(message, self.key)
        except Rejected as rejected:
            return rejected.code, None
        action = payload.get("id")
        expires = payload.get("expires")
        if type(action) is not str or not action or type(expires) is not int:
            return "invalid", None

        entry = self.performed.get(action)
        if entry and entry[1]:
            # The answer to the first copy may have been lost.
            return "again", self.acknowledged(payload)
        if entry:
            was_performed = self.was_performed(payload)
            if was_performed is None:
                return "interrupted", None
            if was_performed:
                self.performed.done(action)
                return "again", self.acknowledged(payload)
        time = self.now()
        if payload["ts"] > time + FUTURE_SECONDS:
            return "future", None
        if time >= expires:
            return "expired", None
        if not entry:
            if self.performed.full(time):
                return "full", None
            self.performed.begin(action, expires)
        self.perform(payload)
        self.performed.done(action)
        return "performed", self.acknowledged(payload)

    def acknowledged(self, payload):
        values = self.answer(payload)
        values["id"] = payload["id"]
        return sign(stamped(values), self.key)
