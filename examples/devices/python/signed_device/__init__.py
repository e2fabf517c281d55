"""Signed messages and actions for devices that talk to node-red-contrib-mqtt2influx."""

from .actions import ActionReceiver, Received, Refused
from .message import Rejected, Verified, device_key, read_key, sign, stamped, verify
from .performed import InUse, PerformedActions

__all__ = [
    "ActionReceiver",
    "InUse",
    "PerformedActions",
    "Received",
    "Refused",
    "Rejected",
    "Verified",
    "device_key",
    "read_key",
    "sign",
    "stamped",
    "verify",
]
