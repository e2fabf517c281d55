PROTOCOL_TLS_CLIENT = CERT_REQUIRED = 0


class SSLContext:
    def __init__(self, protocol):
        pass

    def load_verify_locations(self, cadata):
        pass

    def wrap_socket(self, socket, server_hostname):
        return socket
