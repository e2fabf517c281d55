# The interface of umqtt.simple, with the faults of the real one: time-outs end with the first message, and a broker that
# closes the connection is an IndexError.
import world


class MQTTException(Exception):
    pass


class MQTTClient:
    def __init__(self, client_id, server, port=0, user=None, password=None, keepalive=0, ssl=None):
        self.server = server
        self.ssl = ssl
        self.sock = None

    def set_callback(self, callback):
        self.cb = callback

    def connect(self, clean_session=True, timeout=None):
        self.sock = world.Socket()
        self.sock.settimeout(timeout)
        self.sock.incoming = world.next_of(world.connections)
        self.sock = self.ssl.wrap_socket(self.sock, server_hostname=self.server)
        answer = self.sock.read(4) if self.sock.incoming != b"closed" else b""
        assert answer[0] == 0x20
        if answer[3]:
            raise MQTTException(answer[3])
        print("connected")

    def subscribe(self, topic, qos=0):
        while self.wait_msg() != 0x90:
            pass
        self.sock.read(4)

    def publish(self, topic, message, retain=False, qos=0):
        self.sock.write(topic)

    def ping(self):
        self.sock.write(b"\xc0\x00")

    def check_msg(self):
        self.sock.setblocking(False)
        return self.wait_msg()
