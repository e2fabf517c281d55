# Signs and verifies messages as node-red-contrib-mqtt2influx does, with what a microcontroller has. See README.md.
import binascii
import hashlib
import time

from python_float import python_float

# Longer messages are refused before they are read: they need several times their length in memory.
MAXIMUM_BYTES = 2048
MAXIMUM_DEPTH = 32
MAXIMUM_INTEGER_DIGITS = 4300
FEWEST_KEY_BYTES = 16
LAST_MOMENT = (9223372036, 854775806)
# Many boards count from 2000.
EPOCH = 946684800 if time.gmtime(0)[0] == 2000 else 0


class Rejected(ValueError):
    """A message that must not be acted upon. `code` is 'malformed', 'bad-signature' or 'bad-timestamp'."""

    def __init__(self, code, reason):
        super().__init__(reason)
        self.code = code


def now():
    """Seconds since 1970, as an integer."""
    return time.time_ns() // 1000000000 + EPOCH


def stamped(values):
    """The values together with the time now. Raises ValueError while the clock has not been set."""
    # Read once: between two readings, the second may change.
    moment = time.time_ns()
    seconds = moment // 1000000000 + EPOCH
    if seconds < 1577836800:
        raise ValueError("the clock is not set")
    payload = dict(values)
    payload["ts"] = seconds
    payload["ts_ns"] = moment % 1000000000
    return payload


def sign(payload, key):
    """The whole message, ready to be published. The payload must hold ts and ts_ns: see stamped()."""
    text = canonical(payload)
    return '{"hmac":"%s","payload":%s}' % (_base64(_hmac(key, text.encode())), text)


def device_key(master, device):
    """The key of one device under a master secret, as bytes."""
    return _hmac(master, device.encode())


def read_key(text):
    """A device's key as the keyring's dialog shows it. Raises ValueError where something is mistyped or missing."""
    if isinstance(text, str):
        text = text.encode()
    try:
        key = binascii.a2b_base64(text)
    except Exception:  # Of which kind depends on the port.
        raise ValueError("the key is not base64")
    # a2b_base64 passes over what it does not know.
    if _base64(key).encode() != text:
        raise ValueError("the key is not base64")
    if len(key) < FEWEST_KEY_BYTES:
        raise ValueError("the key has %d bytes, it needs %d at least" % (len(key), FEWEST_KEY_BYTES))
    return key


def verify(message, key, maximum_bytes=MAXIMUM_BYTES):
    """The payload and the form in which it was signed ('canonical' or 'as-sent'). Raises Rejected for every other message,
    and a ValueError where the key is empty."""
    if len(message) > maximum_bytes:
        raise Rejected("malformed", "too long")
    try:
        hmac, payload, text, form = _Reader(message).message()
    except (ValueError, RuntimeError) as error:
        # RuntimeError: deeper than this board's stack.
        raise Rejected("malformed", str(error))
    if _same(_base64(_hmac(key, form.encode())), hmac):
        signed = "canonical"
    elif _same(_base64(_hmac(key, text)), hmac):
        signed = "as-sent"
    else:
        raise Rejected("bad-signature", "the hmac does not belong to this payload and key")
    moment = payload.get("ts"), payload.get("ts_ns")
    if type(moment[0]) is not int or type(moment[1]) is not int:
        raise Rejected("bad-timestamp", "ts and ts_ns are not both integers")
    if moment[0] < 0 or not 0 <= moment[1] <= 999999999 or moment > LAST_MOMENT:
        raise Rejected("bad-timestamp", "ts or ts_ns is out of range")
    return payload, signed


def canonical(value):
    """The one text of a value: members sorted, no spaces, ASCII only, numbers as Python writes them."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = repr(value)
        if "n" in text:
            raise ValueError(text + " cannot be written in JSON")
        return python_float(text)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([canonical(element) for element in value]) + "]"
    return "{" + ",".join([_quoted(name) + ":" + canonical(value[name]) for name in sorted(value)]) + "}"


# HMAC, RFC 2104: hmac is no module of every board, hashlib is.
def _hmac(key, data):
    if not key:
        # Everybody knows this one.
        raise ValueError("the key is empty")
    if len(key) > 64:
        key = hashlib.sha256(key).digest()
    key = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes([byte ^ 0x36 for byte in key]))
    inner.update(data)
    outer = hashlib.sha256(bytes([byte ^ 0x5C for byte in key]))
    outer.update(inner.digest())
    return outer.digest()


def _base64(data):
    return binascii.b2a_base64(data).decode().strip()


def _same(expected, given):
    """Compares in a time that does not tell where they differ."""
    if len(expected) != len(given):
        return False
    difference = 0
    for index in range(len(expected)):
        difference |= ord(expected[index]) ^ ord(given[index])
    return difference == 0


_SHORT = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def _quoted(text):
    parts = ['"']
    for character in text:
        code = ord(character)
        if code in _SHORT:
            parts.append(_SHORT[code])
        elif 32 <= code < 127:
            parts.append(character)
        elif code < 0x10000:
            parts.append("\\u%04x" % code)
        else:
            code -= 0x10000
            parts.append("\\u%04x\\u%04x" % (0xD800 | code >> 10, 0xDC00 | code & 0x3FF))
    parts.append('"')
    return "".join(parts)


_ESCAPES = {34: '"', 92: "\\", 47: "/", 98: "\b", 102: "\f", 110: "\n", 114: "\r", 116: "\t"}


class _Reader:
    """Reads JSON more strictly than the json module of MicroPython, and keeps how numbers were written. Each value is read
    into a pair: the value, and its canonical text. Raises ValueError."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def message(self):
        if self.peek() != 0x7B:
            raise ValueError("no object")
        members = {}
        where = (0, 0)
        for name in self.names(members):
            start = self.at
            members[name] = self.value(MAXIMUM_DEPTH)
            if name == "payload":
                where = (start, self.at)
        if self.peek() != -1:
            raise ValueError("something after the end of the message")
        hmac = members.get("hmac", (None,))[0]
        payload, form = members.get("payload", (None, ""))
        if not isinstance(hmac, str) or not _is_digest(hmac):
            raise ValueError("no hmac of 44 characters of base64")
        if not isinstance(payload, dict):
            raise ValueError("no object as payload")
        return hmac, payload, self.data[where[0] : where[1]], form

    def peek(self):
        """Skips white space. The byte that follows; -1 at the end."""
        while self.at < len(self.data):
            byte = self.data[self.at]
            if byte not in (0x20, 0x09, 0x0A, 0x0D):
                return byte
            self.at += 1
        return -1

    def take(self, byte):
        if self.peek() != byte:
            raise ValueError("unexpected byte at %d" % self.at)
        self.at += 1

    def names(self, members):
        """The name of each member of the object that is next; whoever asks reads the value and puts it into `members`."""
        self.take(0x7B)
        if self.peek() == 0x7D:
            self.at += 1
            return
        while True:
            if self.peek() != 0x22:
                raise ValueError("no name of a member at %d" % self.at)
            name = self.string()
            if name in members:
                raise ValueError("a member twice")
            self.take(0x3A)
            self.peek()
            yield name
            if self.peek() == 0x7D:
                self.at += 1
                return
            self.take(0x2C)

    def value(self, depth):
        byte = self.peek()
        if byte == 0x22:
            text = self.string()
            return text, _quoted(text)
        if byte == 0x2D or 0x30 <= byte <= 0x39:
            return self.number()
        if byte in (0x7B, 0x5B):
            if depth == 0:
                raise ValueError("more than %d levels" % MAXIMUM_DEPTH)
            return self.object(depth - 1) if byte == 0x7B else self.array(depth - 1)
        for word, value in ((b"true", True), (b"false", False), (b"null", None)):
            if self.data[self.at : self.at + len(word)] == word:
                self.at += len(word)
                return value, word.decode()
        raise ValueError("unexpected byte at %d" % self.at)

    def object(self, depth):
        members = {}
        for name in self.names(members):
            members[name] = self.value(depth)
        form = ",".join([_quoted(name) + ":" + members[name][1] for name in sorted(members)])
        for name in members:
            members[name] = members[name][0]
        return members, "{" + form + "}"

    def array(self, depth):
        self.at += 1
        elements = []
        forms = []
        if self.peek() == 0x5D:
            self.at += 1
            return elements, "[]"
        while True:
            element, form = self.value(depth)
            elements.append(element)
            forms.append(form)
            if self.peek() == 0x5D:
                self.at += 1
                return elements, "[" + ",".join(forms) + "]"
            self.take(0x2C)

    def digits(self):
        start = self.at
        while self.at < len(self.data) and 0x30 <= self.data[self.at] <= 0x39:
            self.at += 1
        if self.at == start:
            raise ValueError("a digit is missing at %d" % start)
        return self.at - start

    def follows(self, *bytes_):
        if self.at < len(self.data) and self.data[self.at] in bytes_:
            self.at += 1
            return True
        return False

    def number(self):
        start = self.at
        self.follows(0x2D)
        first = self.data[self.at] if self.at < len(self.data) else 0
        count = self.digits()
        if count > 1 and first == 0x30:
            raise ValueError("a number that starts with 0")
        integer = True
        if self.follows(0x2E):
            integer = False
            self.digits()
        if self.follows(0x65, 0x45):
            integer = False
            self.follows(0x2B, 0x2D)
            self.digits()
        literal = self.data[start : self.at].decode()
        if not integer:
            return float(literal), python_float(literal)
        if count > MAXIMUM_INTEGER_DIGITS:
            raise ValueError("an integer with too many digits")
        return int(literal), "0" if literal == "-0" else literal

    def string(self):
        self.at += 1
        parts = []
        start = self.at
        while True:
            byte = self.data[self.at] if self.at < len(self.data) else -1
            if byte < 0x20:
                raise ValueError("a string that does not end, or holds a control character")
            if byte >= 0x80:
                self.utf8(byte)
                continue
            if byte in (0x22, 0x5C):
                parts.append(str(self.data[start : self.at], "utf-8"))
            self.at += 1
            if byte == 0x22:
                return "".join(parts)
            if byte == 0x5C:
                parts.append(self.escape())
                start = self.at

    def utf8(self, first):
        """Passes over one character of several bytes; RFC 3629 section 4."""
        if 0xC2 <= first <= 0xDF:
            count, low, high = 1, 0x80, 0xBF
        elif 0xE0 <= first <= 0xEF:
            count, low, high = 2, 0xA0 if first == 0xE0 else 0x80, 0x9F if first == 0xED else 0xBF
        elif 0xF0 <= first <= 0xF4:
            count, low, high = 3, 0x90 if first == 0xF0 else 0x80, 0x8F if first == 0xF4 else 0xBF
        else:
            raise ValueError("not UTF-8")
        for byte in self.data[self.at + 1 : self.at + 1 + count]:
            if not low <= byte <= high:
                raise ValueError("not UTF-8")
            low, high = 0x80, 0xBF
        self.at += 1 + count

    def escape(self):
        byte = self.data[self.at] if self.at < len(self.data) else -1
        self.at += 1
        if byte != 0x75:
            if byte not in _ESCAPES:
                raise ValueError("an escape that JSON does not have")
            return _ESCAPES[byte]
        code = self.hexadecimal()
        if 0xD800 <= code <= 0xDBFF and self.data[self.at : self.at + 2] == b"\\u":
            before = self.at
            self.at += 2
            second = self.hexadecimal()
            if 0xDC00 <= second <= 0xDFFF:
                return chr(0x10000 + ((code & 0x3FF) << 10 | second & 0x3FF))
            self.at = before
        return chr(code)

    def hexadecimal(self):
        code = 0
        for byte in self.data[self.at : self.at + 4]:
            digit = "0123456789abcdef".find(chr(byte | 0x20 if byte > 0x39 else byte))
            if digit < 0:
                raise ValueError("an escape without four hexadecimal digits")
            code = code << 4 | digit
        self.at += 4
        if self.at > len(self.data):
            raise ValueError("the message ends too early")
        return code


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _is_digest(text):
    """Whether a text is the one written form of 32 bytes: 43 characters of standard base64 with unused bits zero, and '='."""
    if len(text) != 44 or text[43] != "=":
        return False
    for index in range(43):
        if text[index] not in _ALPHABET:
            return False
    return _ALPHABET.index(text[42]) % 4 == 0
