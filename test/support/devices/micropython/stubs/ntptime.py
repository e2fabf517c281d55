from world import settime
