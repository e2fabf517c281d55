"""Signed messages and actions for devices that talk to node-red-contrib-mqtt2influx."""

from .actions import ActionReceiver, Received
from .message import Rejected, Verified, device_key, sign, stamped, verify
from .performed import PerformedActions

__all__ = [
    "ActionReceiver",
    "PerformedActions",
    "Received",
    "Rejected",
    "Verified",
    "device_key",
    "sign",
    "stamped",
    "verify",
]
