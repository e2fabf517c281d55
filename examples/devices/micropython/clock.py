# Keeps the board's clock right. A board's own clock is off by seconds a day, and starts wrong after each reset.
import time

HOUR = 3600 * 1000
MINUTE = 60 * 1000
# A clock that has not been set for so long may be wrong by more than an action's expiry allows.
TOO_OLD = 24 * HOUR


class Clock:
    """`settime()` sets the board's clock, and raises where it cannot: ntptime.settime. All times in milliseconds."""

    def __init__(self, settime):
        self.settime = settime
        self.is_set = False
        # Since it was last set. Counted up, because ticks_ms starts anew every few days.
        self.age = 0
        self.until_next = 0
        self.ticks = time.ticks_ms()

    def is_right(self):
        return self.is_set and self.age < TOO_OLD

    def count(self):
        """To be called every few minutes at least."""
        ticks = time.ticks_ms()
        passed = time.ticks_diff(ticks, self.ticks)
        self.ticks = ticks
        self.age += passed
        self.until_next -= passed

    def keep(self):
        """Sets the clock each hour; where that fails, tries again a minute later. At once while it was never set."""
        self.count()
        if self.is_set and self.until_next > 0:
            return
        try:
            self.settime()
        except Exception as error:
            print("the clock was not set:", repr(error))
            self.until_next = MINUTE
            return
        self.is_set = True
        self.age = 0
        self.until_next = HOUR
