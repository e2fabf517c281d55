# Answers the lines that vectors.c describes, one at a time.
import binascii

from signed_message import Rejected, _Reader, canonical, sign, verify

VERDICTS = {"canonical": "verified", "as-sent": "verified as sent"}


def text(field):
    return b"" if field == "-" else binascii.a2b_base64(field.encode())


def shown(answer):
    return binascii.b2a_base64(answer.encode()).decode().strip()


def answer(line):
    command, key, given = line.split(" ")
    if command == "sign":
        return shown(sign(_Reader(text(given)).value(32)[0], text(key)))
    try:
        payload, form = verify(text(given), text(key), 65536)
        return VERDICTS[form] + " " + shown(canonical(payload))
    except Rejected as rejected:
        return rejected.code.replace("-", " ") + " -"
