#!/usr/bin/env python3
"""A (simulated) valve: performs the signed actions of actions/<site>/<device>/valve, each once, and answers them."""

import json
import logging
import os
import signal
import sys
import threading
from typing import Any, Dict

from signed_device.actions import ActionReceiver, Refused
from signed_device.broker import connect, make_client, parse, parser
from signed_device.clock import wait_for_clock
from signed_device.performed import InUse, PerformedActions

# How long the broker keeps actions for a valve that is away. They have their own, shorter, expiry.
SESSION_SECONDS = 86_400
KEEP_ALIVE_SECONDS = 30

log = logging.getLogger("device")


class Valve:
    """Stands in for the hardware. Its file takes the place of what a real valve keeps by itself: where it stands, and
    here also which action put it there, so that it can tell after a crash."""

    def __init__(self, path: str):
        self._path = path
        try:
            with open(path, encoding="ascii") as file:
                self.state = json.load(file)
        except FileNotFoundError:
            self.state = {"position": 0.0, "action": None, "moves": 0}

    def perform(self, payload: Dict[str, Any]) -> None:
        position = payload.get("position")
        if type(position) not in (int, float) or not 0 <= position <= 100:
            raise Refused("no position from 0 to 100")
        state = {"position": float(position), "action": payload["id"], "moves": self.state["moves"] + 1}
        fresh = f"{self._path}.new"
        with open(fresh, "w", encoding="ascii") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path)
        self.state = state
        log.info("position %s", state["position"])

    def was_performed(self, action: str) -> bool:
        # It is asked before another action begins, so an interrupted one is the last or has not been performed.
        return self.state["action"] == action

    def answer(self, _payload: Dict[str, Any]) -> Dict[str, Any]:
        return {"position": self.state["position"]}


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--folder", default=".", help="where the valve keeps its state (default: %(default)s)")
    options.add_argument(
        "--clock-is-right", action="store_true", help="act without waiting until NTP has set the clock; see README.md"
    )
    arguments = parse(options)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    topic = f"actions/{arguments.site}/{arguments.device}/valve"
    try:
        performed = PerformedActions(os.path.join(arguments.folder, "performed.jsonl"))
    except InUse as error:
        log.error("%s", error)
        return 1
    valve = Valve(os.path.join(arguments.folder, "valve.json"))
    receiver = ActionReceiver(arguments.key, performed, valve.perform, valve.was_performed, valve.answer)
    stopping = threading.Event()

    def on_connect(client, _userdata, _flags, reason, _properties=None):
        if reason != 0:
            log.error("the broker refused the connection: %s", reason)
            return
        # QoS 1: a copy too many does no harm here, and paho keeps no QoS 2 state that would survive a crash.
        client.subscribe(topic, qos=1)
        log.info("connected, waiting for actions at %s", topic)

    def on_message(client, _userdata, message):
        # paho acknowledges to the broker when this returns: what is lost before comes again.
        try:
            received = receiver.receive(message.payload, bool(message.retain))
        except Exception as error:  # Whatever goes wrong with one action, the next one is waited for.
            log.error("not performed: %s", error)
            return
        log.info("%s %s", received.code, received.reason)
        if received.acknowledgement is not None:
            client.publish(f"{topic}/ack", received.acknowledgement, qos=1)

    client = make_client(arguments, keep_session=True)
    client.on_connect, client.on_message = on_connect, on_message
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_signal: stopping.set())
    # Before it connects: the broker sends what it has kept for the session at once, without a new subscription.
    if not arguments.clock_is_right:
        try:
            wait_for_clock(stopping)
        except OSError as error:
            log.error("%s: start it with --clock-is-right if the clock is right", error)
            return 1
    if not stopping.is_set():
        connect(client, arguments, KEEP_ALIVE_SECONDS, SESSION_SECONDS)
        stopping.wait()
        client.disconnect()
        client.loop_stop()
    performed.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
