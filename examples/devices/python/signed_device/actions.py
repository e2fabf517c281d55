"""What a device does with an action that it receives: perform it once, or not at all, and answer. Knows no MQTT."""

import time
from typing import Any, Callable, Dict, NamedTuple, Optional

from .message import Rejected, sign, stamped, verify
from .performed import DONE, UNKNOWN, PerformedActions, SignedTime

# How far the clocks of sender and device may be apart.
FUTURE_SECONDS = 60


class Refused(Exception):
    """Raised by `perform`: the action is not one for this device, and nothing was done. The sender hears the reason."""


class Received(NamedTuple):
    # performed | again | refused | outdated | interrupted | expired | future | retained | malformed | bad-signature |
    # bad-timestamp | invalid
    code: str
    reason: str
    # The signed acknowledgement to publish; None: no answer.
    acknowledgement: Optional[str] = None


class ActionReceiver:
    """Performs the actions of one topic, each once, however often its message comes, and none that was signed before the
    newest that has been begun: an older command must not undo a newer one.

    `perform(payload)` does it, and raises where it cannot; then there is no answer, and the action may come again. It raises
    Refused where it will not, and has done nothing: then the answer is negative.
    `was_performed(id)` is asked about an action that a crash or an error interrupted: True, False, or None where the
    hardware cannot tell. Without it nobody can, and such an action is neither performed again nor acknowledged. It is asked
    before any other action begins: afterwards the hardware shows what that one did.
    `answer(payload)` gives more members for the acknowledgement.
    """

    def __init__(
        self,
        key: bytes,
        performed: PerformedActions,
        perform: Callable[[Dict[str, Any]], None],
        was_performed: Callable[[str], Optional[bool]] = lambda action: None,
        answer: Callable[[Dict[str, Any]], Dict[str, Any]] = lambda payload: {},
        now: Callable[[], float] = time.time,
    ):
        self._key = key
        self._performed = performed
        self._perform = perform
        self._was_performed = was_performed
        self._answer = answer
        self._now = now

    def receive(self, message: bytes, retained: bool = False) -> Received:
        """Judges one message and acts on it. Passes on what `perform` raises, and OSError where nothing can be kept."""
        if retained:
            return Received("retained", "an action that the broker has kept is not a fresh one")
        try:
            payload = verify(message, self._key).payload
        except Rejected as rejected:
            return Received(rejected.code, str(rejected))
        action, expires = payload.get("id"), payload.get("expires")
        if not isinstance(action, str) or action == "" or type(expires) is not int:
            return Received("invalid", "no id, or no expires")

        if self._performed.state(action) != DONE:
            self._settle()
        state = self._performed.state(action)
        if state == DONE:
            # The answer to the first copy may have been lost.
            return self._acknowledged("again", payload)
        if state == UNKNOWN:
            return Received("interrupted", "nobody knows whether it was performed")
        if payload["ts"] > self._now() + FUTURE_SECONDS:
            return Received("future", "signed in the future: check the clocks")
        if self._now() >= expires:
            return Received("expired", f"expired {self._now() - expires:.0f} s ago")
        signed = (payload["ts"], payload["ts_ns"])
        if self._is_outdated(signed):
            return self._refused("outdated", payload, "outdated: an action that was signed later has been begun before")
        self._performed.begin(action, expires, signed)
        try:
            self._perform(payload)
        except Refused as refused:
            self._performed.settle(action, False)
            return self._refused("refused", payload, str(refused))
        self._performed.done(action)
        return self._acknowledged("performed", payload)

    def _is_outdated(self, signed: SignedTime) -> bool:
        # A newest time that is ahead of the clock is a clock's fault. It must not keep the device from acting.
        return signed < self._performed.newest and self._performed.newest[0] <= self._now() + FUTURE_SECONDS

    def _settle(self) -> None:
        """Finds out what became of each interrupted action, and keeps it. Where that fails, nothing new may begin."""
        for action in self._performed.interrupted():
            self._performed.settle(action, self._was_performed(action))

    def _acknowledged(self, code: str, payload: Dict[str, Any]) -> Received:
        acknowledgement = stamped({**self._answer(payload), "id": payload["id"]})
        return Received(code, "", sign(acknowledgement, self._key))

    def _refused(self, code: str, payload: Dict[str, Any], reason: str) -> Received:
        """A negative answer: the sender need not wait, and knows why."""
        answer = stamped({"id": payload["id"], "ok": False, "reason": reason})
        return Received(code, reason, sign(answer, self._key))
