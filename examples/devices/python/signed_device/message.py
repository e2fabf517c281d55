"""Signs and verifies messages as node-red-contrib-mqtt2influx does. Needs nothing but Python's standard library.

A message is one JSON object: {"hmac": "<base64>", "payload": {…, "ts": <seconds>, "ts_ns": <nanoseconds>}}.
The hmac is HMAC-SHA-256 over the payload's text as it is sent, or over its canonical text.
"""

import base64
import binascii
import hashlib
import hmac
import json
import math
import re
import time
from typing import Any, Dict, List, NamedTuple, Tuple

MAXIMUM_BYTES = 65_536
# Levels of arrays and objects within a member of the message; the payload itself is the first.
MAXIMUM_DEPTH = 32
MAXIMUM_INTEGER_DIGITS = 4300
FEWEST_KEY_BYTES = 16
# The last moment that 64-bit nanoseconds hold, which is what InfluxDB stores.
LAST_MOMENT = (9_223_372_036, 854_775_806)


class Rejected(ValueError):
    """A message that must not be acted upon. `code` is `malformed`, `bad-signature` or `bad-timestamp`."""

    def __init__(self, code: str, reason: str):
        super().__init__(reason)
        self.code = code


class Verified(NamedTuple):
    payload: Dict[str, Any]
    # What was signed: "canonical" text of the payload, or its text "as-sent".
    form: str


def canonical(value: Any) -> str:
    """The one text of a value: members sorted, no spaces, ASCII only, no NaN or infinity."""
    return json.dumps(value, indent=None, separators=(",", ":"), sort_keys=True, allow_nan=False)


def stamped(values: Dict[str, Any]) -> Dict[str, Any]:
    """The values together with the time now, as whole seconds since 1970 and nanoseconds."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return {**values, "ts": seconds, "ts_ns": nanoseconds}


def sign(payload: Dict[str, Any], key: bytes) -> str:
    """The whole message, ready to be published. The payload must hold ts and ts_ns: see stamped()."""
    text = canonical(payload)
    return canonical({"hmac": base64.b64encode(_digest(text, key)).decode("ascii"), "payload": payload})


def device_key(master: bytes, device: str) -> bytes:
    """The key of one device when the keyring's secret is a master: HMAC-SHA-256(master, device id)."""
    return _digest(device, master)


def read_key(text: str) -> bytes:
    """A device's key as the keyring's dialog shows it. Raises ValueError where something is mistyped or missing."""
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("the key is not base64") from None
    if base64.b64encode(key).decode("ascii") != text:
        raise ValueError("the key is not base64")
    if len(key) < FEWEST_KEY_BYTES:
        raise ValueError(f"the key has {len(key)} bytes, it needs {FEWEST_KEY_BYTES} at least")
    return key


def verify(message: bytes, key: bytes) -> Verified:
    """The payload of a message that was signed with this key. Raises Rejected for every other message, and a ValueError
    where the key is empty."""
    if len(message) > MAXIMUM_BYTES:
        raise Rejected("malformed", f"more than {MAXIMUM_BYTES} bytes")
    try:
        members, text = _read(message.decode("utf-8"))
        payload, expected = members.get("payload"), _signature(members.get("hmac"))
        if not isinstance(payload, dict):
            raise ValueError("no object as payload")
        form = canonical(payload)
    except Rejected:
        raise
    except (ValueError, RecursionError) as error:
        raise Rejected("malformed", str(error)) from None
    if hmac.compare_digest(_digest(form, key), expected):
        verified = Verified(payload, "canonical")
    elif hmac.compare_digest(_digest(text, key), expected):
        verified = Verified(payload, "as-sent")
    else:
        raise Rejected("bad-signature", "the hmac does not belong to this payload and key")
    _check_time(payload)
    return verified


def _digest(text: str, key: bytes) -> bytes:
    if not key:
        # Everybody knows this one.
        raise ValueError("the key is empty")
    return hmac.new(key, text.encode("utf-8"), hashlib.sha256).digest()


def _signature(text: Any) -> bytes:
    """The 32 bytes of the member hmac, which has one written form only: standard base64, unused bits zero."""
    if not isinstance(text, str) or len(text) != 44:
        raise ValueError("no hmac of 44 characters")
    try:
        digest = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("the hmac is not base64") from None
    if len(digest) != 32 or base64.b64encode(digest).decode("ascii") != text:
        raise ValueError("the hmac is not base64")
    return digest


def _check_time(payload: Dict[str, Any]) -> None:
    moment = (payload.get("ts"), payload.get("ts_ns"))
    # By type: a bool is an int in Python, and 1.0 equals 1.
    if any(type(part) is not int for part in moment):
        raise Rejected("bad-timestamp", "ts and ts_ns are not both integers")
    if moment[0] < 0 or not 0 <= moment[1] <= 999_999_999 or moment > LAST_MOMENT:
        raise Rejected("bad-timestamp", "ts or ts_ns is out of range")


# Reading. Python's json accepts more than a message may hold, and forgets how a value was written.

_SPACE = re.compile(r"[ \t\n\r]*")


def _members(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAXIMUM_INTEGER_DIGITS:
        raise ValueError(f"an integer of more than {MAXIMUM_INTEGER_DIGITS} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number too large for a double")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_float, parse_constant=_no_constant
)


def _read(text: str) -> Tuple[Dict[str, Any], str]:
    """The members of the message, and the text of its payload as it was sent."""
    pairs: List[Tuple[str, Any]] = []
    payload_text = ""

    def skip(at: int) -> int:
        return _SPACE.match(text, at).end()

    def expect(character: str, at: int) -> int:
        if text[at : at + 1] != character:
            raise ValueError(f"no {character} at character {at + 1}")
        return skip(at + 1)

    at = expect("{", skip(0))
    while text[at : at + 1] != "}" or pairs:
        if pairs:
            if text[at : at + 1] == "}":
                break
            at = expect(",", at)
        if text[at : at + 1] != '"':
            raise ValueError(f"no name of a member at character {at + 1}")
        name, at = _decoder.raw_decode(text, at)
        start = expect(":", skip(at))
        value, end = _decoder.raw_decode(text, start)
        _check_depth(value, MAXIMUM_DEPTH)
        pairs.append((name, value))
        if name == "payload":
            payload_text = text[start:end]
        at = skip(end)
    if expect("}", at) != len(text):
        raise ValueError("something after the end of the message")
    return _members(pairs), payload_text


def _check_depth(value: Any, levels: int) -> None:
    if not isinstance(value, (dict, list)):
        return
    if levels == 0:
        raise ValueError(f"more than {MAXIMUM_DEPTH} levels")
    for inner in value.values() if isinstance(value, dict) else value:
        _check_depth(inner, levels - 1)
