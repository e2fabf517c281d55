"""What a device does with an action that it receives: perform it once, or not at all, and answer. Knows no MQTT."""

import time
from typing import Any, Callable, Dict, NamedTuple, Optional

from .message import Rejected, sign, stamped, verify
from .performed import DONE, UNKNOWN, PerformedActions

# How far the clocks of sender and device may be apart.
FUTURE_SECONDS = 60


class Received(NamedTuple):
    # performed | again | interrupted | expired | future | retained | malformed | bad-signature | bad-timestamp | invalid
    code: str
    reason: str
    # The signed acknowledgement to publish; None: no answer.
    acknowledgement: Optional[str] = None


class ActionReceiver:
    """Performs each action once, however often its message comes.

    `perform(payload)` does it, and raises where it cannot; then there is no answer, and the action may come again.
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
        self._performed.begin(action, expires)
        self._perform(payload)
        self._performed.done(action)
        return self._acknowledged("performed", payload)

    def _settle(self) -> None:
        """Finds out what became of each interrupted action, and keeps it. Where that fails, nothing new may begin."""
        for action in self._performed.interrupted():
            self._performed.settle(action, self._was_performed(action))

    def _acknowledged(self, code: str, payload: Dict[str, Any]) -> Received:
        acknowledgement = stamped({**self._answer(payload), "id": payload["id"]})
        return Received(code, "", sign(acknowledgement, self._key))
