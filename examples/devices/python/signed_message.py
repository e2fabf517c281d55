"""Signs messages the way node-red-contrib-mqtt2influx verifies them. Needs nothing but Python's standard library.

A message is one JSON object: {"hmac": "<base64>", "payload": {…, "ts": <seconds>, "ts_ns": <nanoseconds>}}.
The hmac is HMAC-SHA-256 over the canonical text of the payload.
"""

import base64
import hashlib
import hmac
import json
import time
from typing import Any, Dict


def canonical(value: Any) -> str:
    """The one text of a value: members sorted, no spaces, ASCII only, no NaN or infinity."""
    return json.dumps(value, indent=None, separators=(",", ":"), sort_keys=True, allow_nan=False)


def stamped(values: Dict[str, Any]) -> Dict[str, Any]:
    """The values together with the time now, as whole seconds since 1970 and nanoseconds."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return {**values, "ts": seconds, "ts_ns": nanoseconds}


def sign(payload: Dict[str, Any], key: bytes) -> str:
    """The whole message, ready to be published. The payload must hold ts and ts_ns: see stamped()."""
    digest = hmac.new(key, canonical(payload).encode("ascii"), hashlib.sha256).digest()
    return canonical({"hmac": base64.b64encode(digest).decode("ascii"), "payload": payload})


def device_key(master: bytes, device: str) -> bytes:
    """The key of one device when the keyring's secret is a master: HMAC-SHA-256(master, device id)."""
    return hmac.new(master, device.encode("utf-8"), hashlib.sha256).digest()
