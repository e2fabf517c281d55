# Answers the lines that vectors.c describes, one at a time.
import binascii

from actions import ActionReceiver, Refused
from performed import PerformedActions
from signed_message import Rejected, _Reader, canonical, read_key, sign, verify

VERDICTS = {"canonical": "verified", "as-sent": "verified as sent"}


def text(field):
    return b"" if field == "-" else binascii.a2b_base64(field.encode())


def shown(answer):
    return binascii.b2a_base64(answer).decode().strip()


# Bad signatures and the like are one thing to a device that acts.
SAME = {"bad-signature": "not verified", "malformed": "not verified", "bad-timestamp": "not verified"}
memory = None


def restart(forget):
    global memory
    if forget:
        open("performed.txt", "w").close()
    memory = PerformedActions("performed.txt")
    return "-"


def perform(payload):
    if payload["position"] > 100:
        raise Refused("no position from 0 to 100")


def receive(key, given):
    space = given.index(b" ")
    now = int(given[:space])
    code, acknowledgement = ActionReceiver(key, memory, perform, now=lambda: now).receive(given[space + 1 :])
    return SAME.get(code, code) + " " + (shown(acknowledgement.encode()) if acknowledgement else "-")


def answer(line):
    command, key, given = line.split(" ")
    if command in ("restart", "forget"):
        return restart(command == "forget")
    key = text(key)
    given = text(given)
    if command == "receive":
        return receive(key, given)
    try:
        if command == "key":
            return shown(read_key(given))
        if command == "sign":
            return shown(sign(_Reader(given).value(32)[0], key).encode())
        payload, form = verify(given, key, 65536)
        return VERDICTS[form] + " " + shown(canonical(payload).encode())
    except Rejected as rejected:
        return rejected.code.replace("-", " ") + " -"
    except ValueError:
        return "-" if command != "verify" else "refused -"
