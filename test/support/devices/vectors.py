"""Answers the lines that vectors.c describes, by the package signed_device."""

import base64
import json
import sys

from signed_device.message import Rejected, canonical, sign, verify

VERDICTS = {"canonical": "verified", "as-sent": "verified as sent"}


def text(field: str) -> bytes:
    return b"" if field == "-" else base64.b64decode(field)


def shown(answer: str) -> str:
    return base64.b64encode(answer.encode("ascii")).decode("ascii")


for line in sys.stdin:
    command, key, given = line.split()
    if command == "sign":
        print(shown(sign(json.loads(text(given)), text(key))))
        continue
    try:
        payload, form = verify(text(given), text(key))
        print(VERDICTS[form], shown(canonical(payload)))
    except Rejected as rejected:
        print(rejected.code.replace("-", " "), "-")
