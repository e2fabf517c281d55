# What a device does with an action that it receives: perform it once, or not at all, and answer. Knows no MQTT.
from performed import DONE, UNKNOWN
from signed_message import Rejected, now, sign, stamped, verify

# How far the clocks of sender and device may be apart.
FUTURE_SECONDS = 60


class Refused(Exception):
    """Raised by `perform`: the action is not one for this device, and nothing was done. The sender hears the reason."""


class ActionReceiver:
    """Performs the actions of one topic, each once, however often its message comes, and none that was signed before the
    newest that has been begun: an older command must not undo a newer one.

    `perform(payload)` does it, and raises where it cannot; then there is no answer, and the action may come again. It raises
    Refused where it will not, and has done nothing: then the answer is negative.
    `was_performed(id)` is asked about an action that a reset or an error interrupted: True, False, or None where the
    hardware cannot tell. It is asked before any other action begins: afterwards the hardware shows what that one did.
    `answer(payload)` gives more members for the acknowledgement.
    """

    def __init__(self, key, performed, perform, was_performed=lambda action: None, answer=lambda payload: {}, now=now):
        self.key = key
        self.performed = performed
        self.perform = perform
        self.was_performed = was_performed
        self.answer = answer
        self.now = now

    def receive(self, message, retained=False):
        """Judges one message and acts on it. A pair: a code, and the signed acknowledgement to publish or None."""
        if retained:
            # What the broker has kept is not fresh.
            return "retained", None
        try:
            payload, _ = verify(message, self.key)
        except Rejected as rejected:
            return rejected.code, None
        action = payload.get("id")
        expires = payload.get("expires")
        if type(action) is not str or not action or type(expires) is not int:
            return "invalid", None

        if self.performed.state(action) != DONE:
            self.settle()
        state = self.performed.state(action)
        if state == DONE:
            # The answer to the first copy may have been lost.
            return "again", self.acknowledged(payload)
        if state == UNKNOWN:
            return "interrupted", None
        time = self.now()
        if payload["ts"] > time + FUTURE_SECONDS:
            return "future", None
        if time >= expires:
            return "expired", None
        signed = (payload["ts"], payload["ts_ns"])
        newest = self.performed.newest
        # A newest time that is ahead of the clock is a clock's fault. It must not keep the device from acting.
        if signed < newest and newest[0] <= time + FUTURE_SECONDS:
            return "outdated", self.refused(payload, "outdated: an action that was signed later has been begun before")
        if self.performed.full(time):
            return "full", None
        self.performed.begin(action, expires, signed)
        try:
            self.perform(payload)
        except Refused as refused:
            self.performed.settle(action, False)
            return "refused", self.refused(payload, str(refused))
        self.performed.done(action)
        return "performed", self.acknowledged(payload)

    def settle(self):
        """Finds out what became of each interrupted action, and keeps it. Where that fails, nothing new may begin."""
        for action in self.performed.interrupted():
            self.performed.settle(action, self.was_performed(action))

    def acknowledged(self, payload):
        values = self.answer(payload)
        values["id"] = payload["id"]
        return sign(stamped(values), self.key)

    def refused(self, payload, reason):
        """A negative answer: the sender need not wait, and knows why."""
        return sign(stamped({"id": payload["id"], "ok": False, "reason": reason}), self.key)
