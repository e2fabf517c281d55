# umqtt.simple with an end to each wait, a limit for what is received, and the retain flag.
import time

from umqtt.simple import MQTTClient

# Longer topics are none of ours.
MAXIMUM_TOPIC = 256
CHUNK = 256


class Tls:
    """Wraps the connection in TLS, and keeps the socket below: only that one can be given a time-out."""

    def __init__(self, context, seconds):
        self.context = context
        self.seconds = seconds
        self.socket = None

    def wrap_socket(self, socket, server_hostname):
        self.socket = socket
        self.limit()
        return self.context.wrap_socket(socket, server_hostname=server_hostname)

    def limit(self):
        self.socket.settimeout(self.seconds)


class Client(MQTTClient):
    """`seconds`: how long the network may take for each step. `feed()` is called while a long message is passed over. The
    callback is given topic, message, and whether it was retained."""

    def __init__(self, client_id, server, context, seconds, maximum_bytes, feed=lambda: None, **options):
        self.tls = Tls(context, seconds)
        super().__init__(client_id, server, port=8883, ssl=self.tls, **options)
        self.seconds = seconds
        self.maximum_bytes = maximum_bytes
        self.feed = feed
        self.heard = time.ticks_ms()

    def connect(self, clean_session=True):
        self.close()
        present = super().connect(clean_session=clean_session, timeout=self.seconds)
        self.heard = time.ticks_ms()
        return present

    def close(self):
        # Two sockets: closing one that TLS has not taken over yet, and then again, does no harm.
        for socket in (self.sock, self.tls.socket):
            try:
                if socket:
                    socket.close()
            except Exception as error:
                print("not closed:", repr(error))
        self.sock = self.tls.socket = None

    def wait_msg(self):
        """As in umqtt.simple, which waits for ever within a message, and makes room for whatever length it is told."""
        first = self.sock.read(1)
        # check_msg has switched waiting off for the first byte only.
        self.tls.limit()
        if first is None:
            return None
        if first == b"":
            raise OSError("the broker has closed the connection")
        self.heard = time.ticks_ms()
        kind = first[0]
        if kind == 0xD0:  # The answer to a ping.
            self.exactly(1)
            return None
        if kind & 0xF0 != 0x30:
            # An answer that the caller reads.
            return kind
        left = self.remaining_length()
        topic_length = self.two_bytes()
        acknowledged = kind & 6
        left -= topic_length + (4 if acknowledged else 2)
        if left < 0:
            raise OSError("a packet that is no MQTT")
        topic = self.exactly(topic_length) if topic_length <= MAXIMUM_TOPIC else self.skip(topic_length)
        packet = self.exactly(2) if acknowledged else None
        if topic is None or left > self.maximum_bytes:
            print("passed over a message of", left, "bytes")
            self.skip(left)
        else:
            self.cb(topic, self.exactly(left), bool(kind & 1))
        if packet:
            # Also what was passed over: otherwise it would come again for ever.
            self.sock.write(b"\x40\x02" + packet)
        return kind

    def remaining_length(self):
        length = 0
        for index in range(4):
            byte = self.exactly(1)[0]
            length |= (byte & 0x7F) << 7 * index
            if not byte & 0x80:
                return length
        raise OSError("a packet that is no MQTT")

    def two_bytes(self):
        data = self.exactly(2)
        return data[0] << 8 | data[1]

    def exactly(self, count):
        data = self.sock.read(count) if count else b""
        if data is None or len(data) < count:
            raise OSError("the broker has closed the connection")
        return data

    def skip(self, count):
        while count > 0:
            self.feed()
            count -= len(self.exactly(min(count, CHUNK)))
