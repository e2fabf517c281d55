import world

STA_IF = 0


class WLAN:
    def __init__(self, interface):
        pass

    def active(self, on):
        pass

    def connect(self, name, password):
        pass

    def disconnect(self):
        pass

    def isconnected(self):
        return world.wifi
