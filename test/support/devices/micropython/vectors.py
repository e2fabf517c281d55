# Answers the lines that vectors.c describes, one at a time.
import binascii

from signed_message import Rejected, _Reader, canonical, read_key, sign, verify

VERDICTS = {"canonical": "verified", "as-sent": "verified as sent"}


def text(field):
    return b"" if field == "-" else binascii.a2b_base64(field.encode())


def shown(answer):
    return binascii.b2a_base64(answer).decode().strip()


def answer(line):
    command, key, given = line.split(" ")
    key = text(key)
    given = text(given)
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
