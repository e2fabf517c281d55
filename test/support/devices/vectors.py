"""Answers the lines that vectors.c describes, by the package signed_device."""

import base64
import json
import sys

from signed_device.message import Rejected, canonical, read_key, sign, verify

VERDICTS = {"canonical": "verified", "as-sent": "verified as sent"}


def text(field: str) -> bytes:
    return b"" if field == "-" else base64.b64decode(field)


def shown(answer: bytes) -> str:
    return base64.b64encode(answer).decode("ascii")


def answer(command: str, key: bytes, given: bytes) -> str:
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
