"""Answers the lines that vectors.c describes, by the package signed_device."""

import base64
import json
import os
import sys
import tempfile
from typing import List

from signed_device import ActionReceiver, PerformedActions, Refused
from signed_device.message import Rejected, canonical, read_key, sign, verify

VERDICTS = {"canonical": "verified", "as-sent": "verified as sent"}


def text(field: str) -> bytes:
    return b"" if field == "-" else base64.b64decode(field)


def shown(answer: bytes) -> str:
    return base64.b64encode(answer).decode("ascii")


folder = tempfile.TemporaryDirectory()
memory: List[PerformedActions] = []
# Bad signatures and the like are one thing to a device that acts.
SAME = {"bad-signature": "not verified", "malformed": "not verified", "bad-timestamp": "not verified"}


def restart(forget: bool = False) -> str:
    path = os.path.join(folder.name, "performed.jsonl")
    for one in memory:
        one.close()
    if forget and os.path.exists(path):
        os.remove(path)
    memory[:] = [PerformedActions(path)]
    return "-"


def perform(payload: dict) -> None:
    if payload["position"] > 100:
        raise Refused("no position from 0 to 100")


def receive(key: bytes, given: bytes) -> str:
    now, _, message = given.partition(b" ")
    receiver = ActionReceiver(key, memory[0], perform, now=lambda: int(now))
    received = receiver.receive(message)
    acknowledgement = received.acknowledgement
    return f"{SAME.get(received.code, received.code)} {shown(acknowledgement.encode()) if acknowledgement else '-'}"


def answer(command: str, key: bytes, given: bytes) -> str:
    if command in ("restart", "forget"):
        return restart(command == "forget")
    if command == "receive":
        return receive(key, given)
    try:
        if command == "key":
            return shown(read_key(given.decode("utf-8")))
        if command == "sign":
            return shown(sign(json.loads(given), key).encode("ascii"))
        payload, form = verify(given, key)
        return f"{VERDICTS[form]} {shown(canonical(payload).encode('ascii'))}"
    except Rejected as rejected:
        return f"{rejected.code.replace('-', ' ')} -"
    except ValueError:
        return "-" if command != "verify" else "refused -"


for line in sys.stdin:
    command, key, given = line.split()
    print(answer(command, text(key), text(given)))
