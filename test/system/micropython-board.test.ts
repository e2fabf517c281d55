import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../support/node-red';
import { tempDirectory } from '../support/temp';

const program = join(packageRoot, 'test/support/devices/micropython/run.mjs');

/** Runs a program under the MicroPython interpreter, with the modules of a board from stubs/; gives what it printed. */
function script(source: string): string {
  const result = spawnSync(process.execPath, [program, 'script', tempDirectory('flash')], {
    input: source,
    encoding: 'utf8',
    // Against a program that never ends; a slow machine may take its time.
    timeout: 150_000,
  });
  if (result.status !== 0) throw new Error(`${result.stdout}${result.stderr.slice(-3000)}`);
  return result.stdout;
}

const count = (text: string, part: string): number => text.split(part).length - 1;

/** A broker that takes the connection, with whatever else it sends. */
const BROKER = `
import world
broker = world.CONNACK + world.SUBACK
`;
const SIGNED = `
from signed_message import read_key, sign
import config
def action(id, position=1.0, lives=60, at=0):
    now = 1700000000 + at
    return sign({"id": id, "position": position, "expires": now + lives, "ts": now, "ts_ns": 0}, read_key(config.KEY)).encode()
`;

describe('main.py', () => {
  test.each([
    ['NTP does not answer', 'world.ntp = [OSError(110)] * 5 + [None]; world.connections = [broker]', 5],
    ['the broker refuses', 'world.connections = [b"\\x20\\x02\\x00\\x03"] * 3 + [broker]', 3],
    ['the broker closes the connection', 'world.connections = [b"closed"] * 3 + [broker]', 3],
    ['the broker cannot be reached', 'world.connections = [OSError(113)] * 3 + [broker]', 3],
    ['there is not enough memory', 'world.connections = [MemoryError("70000 bytes")] * 3 + [broker]', 3],
    ['the broker says nothing', 'world.connections = [b""] * 3 + [broker]', 3],
    ['the broker does not confirm the subscription', 'world.connections = [world.CONNACK] * 3 + [broker]', 3],
    ['a message breaks off', 'world.connections = [broker + b"\\x32\\x20\\x00"] * 3 + [broker]', 3],
    ['a packet is no MQTT', 'world.connections = [broker + b"\\x32\\xff\\xff\\xff\\xff\\x01"] * 3 + [broker]', 3],
  ])('goes on when %s, and waits longer each time', (_what, setting, faults) => {
    const output = script(`${BROKER}${setting}\nworld.run(300)\nprint("longest", world.longest)`);
    const pauses = [...output.matchAll(/again in (\d+) s/g)].map(([, seconds]) => Number(seconds));
    expect(pauses).toEqual([1, 2, 4, 8, 16].slice(0, faults));
    expect(output).toContain('connected');
    // The one that is open is the good one, and a Pico's watchdog has 8.3 s.
    expect(output).toContain('sockets left open: 1');
    expect(Number(/longest (\d+)/.exec(output)?.[1])).toBeLessThan(8000);
  });

  test('goes on when there is no Wi-Fi', () => {
    const output = script(`${BROKER}world.connections = [broker]; world.wifi = False\nworld.run(120)
print("longest", world.longest)`);
    expect(output).toContain("OSError('no Wi-Fi',)");
    expect(count(output, 'again in')).toBe(3);
    expect(Number(/longest (\d+)/.exec(output)?.[1])).toBeLessThan(8000);
  });

  test('connects again when the broker does not answer pings', () => {
    const output = script(`${BROKER}world.connections = [broker]; world.answers_pings = False\nworld.run(150)`);
    expect(output).toContain("OSError('the broker does not answer',)");
    expect(count(output, 'connected')).toBe(3);
  });

  test('stays connected, and starts with a short pause after a connection that was good', () => {
    const output = script(`${BROKER}world.connections = [OSError(113)] * 4 + [broker]
world.lose_at = 3600 * 1000\nworld.run(7200)`);
    const pauses = [...output.matchAll(/again in (\d+) s/g)].map(([, seconds]) => Number(seconds));
    expect(pauses).toEqual([1, 2, 4, 8, 1]);
    expect(count(output, 'connected')).toBe(2);
  });

  test('passes over a message that is too long, once, and performs the next one', () => {
    const output = script(`${BROKER}${SIGNED}
long = world.publish(bytes(70000))
topic = world.publish(b"x", topic=b"t" * 60000)
world.connections = [broker + long + topic + world.publish(action("a"))]
world.run(60)
print("acknowledged", world.sent.count(b"\\x40\\x02\\x00\\x07"))`);
    expect(output).toContain('passed over a message of 70000 bytes');
    expect(output).toContain('action: performed');
    expect(output).toContain('acknowledged 3');
    expect(output).not.toContain('no connection');
  });

  test('does not take a retained action for a fresh one', () => {
    const output = script(`${BROKER}${SIGNED}
world.connections = [broker + world.publish(action("a"), retain=True)]\nworld.run(10)`);
    expect(output).toContain('action: retained');
  });

  test('sets the clock each hour, and tries again soon where that fails', () => {
    const output = script(`${BROKER}world.connections = [broker]
world.ntp = [None, None, OSError(110), OSError(110), None]
world.step = 1000
world.run(5 * 3600)
print("asked at", [int(at / 60000) for at in world.asked])`);
    expect(output).toContain('asked at [0, 60, 120, 121, 122, 182, 242]');
    expect(output).not.toContain('no connection');
  });

  test('does not act when the clock has not been set for a day, and says so', () => {
    const output = script(`${BROKER}${SIGNED}
world.connections = [broker]
world.ntp = [None, OSError(110)]
world.step = 50000
hour = 3600
# The milliseconds that the board counts start anew after six days.
for index, at in enumerate((23 * hour, 25 * hour, 24 * 4 * hour, 24 * 6 * hour + 8 * hour)):
    world.later.append((at * 1000, world.publish(action("a%d" % index, at=at, lives=300))))
world.run(24 * 7 * hour)`);
    expect(count(output, 'action: performed')).toBe(1);
    expect(count(output, 'action: not performed, the clock was not set for too long')).toBe(3);
  });

  test('writes nothing to flash for a connection', () => {
    const output = script(`${BROKER}${SIGNED}
import builtins, durable, performed
def written(name):
    real = getattr(durable, name)
    def write(path, *rest):
        print("written", path)
        return real(path, *rest)
    return write
durable.write_whole = performed.write_whole = written("write_whole")
world.connections = [broker + world.publish(action("a")) + b"\\x32\\xff\\xff\\xff\\xff"] + [OSError(113)] * 20
world.run(600)`);
    expect(count(output, 'action: performed')).toBe(1);
    expect(count(output, 'no connection')).toBeGreaterThan(5);
    expect(count(output, 'written performed.txt')).toBe(0);
  });

  test.each(['', '…', 'AAAA', 'bW9yZSB0aGFuIHNpeHRlZW4gYnl0ZX'])('ends with a message when the key is %j', (key) => {
    const output = script(`
import world, config
config.KEY = ${JSON.stringify(key)}
try:
    world.run(10)
except ValueError as error:
    print("ended:", error)`);
    expect(output).toMatch(/^ended: the key (is not base64|has \d+ bytes, it needs 16 at least)$/m);
  });
});

describe('the time in a message', () => {
  test('is read once', () => {
    // Each reading is half a second later.
    expect(
      script(`
import world, time
from signed_message import stamped
def later():
    world.clock += 500
    return world.clock * 1000000
time.time_ns = later
world.clock = 1700000000400
stamp = stamped({})
print("stamp", stamp["ts"], stamp["ts_ns"])`),
    ).toContain('stamp 1700000000 900000000');
  });
});

describe('the memory of actions', () => {
  const MEMORY = `
import world, os
from performed import PerformedActions
def lines(path="p"):
    with open(path) as file:
        return file.read().split("\\n")[:-1]
`;

  test('takes what a power cut on FAT has left', () => {
    const output = script(`${MEMORY}
memory = PerformedActions("p")
memory.begin("a", 100, (1, 0))
memory.done("a")
os.rename("p", "p.new")
memory = PerformedActions("p")
print(memory.state("a"), lines())
with open("q.new", "w") as file:
    file.write('["a", 100, "do')
print(PerformedActions("q").state("a"))`);
    expect(output).toMatch(/^done .*"done"/m);
    expect(output).toMatch(/^None$/m);
  });

  test('keeps that nobody can tell what became of an action', () => {
    const output = script(`${MEMORY}${SIGNED}
from actions import ActionReceiver
key = read_key(config.KEY)
moves = []
world.settime()
a, b = action("a"), action("b")
memory = PerformedActions("p")
memory.begin("a", 1700000060, (1, 0))
receiver = ActionReceiver(key, memory, moves.append)
codes = [receiver.receive(message)[0] for message in (b, a)]
# Afterwards the hardware would say no.
receiver = ActionReceiver(key, PerformedActions("p"), moves.append, lambda action: False)
print(codes, receiver.receive(a)[0], len(moves))`);
    expect(output).toContain("['performed', 'interrupted'] interrupted 1");
  });

  test('is written anew when a line was cut off, and when it is too long', () => {
    const output = script(`${MEMORY}
memory = PerformedActions("p")
memory.LIMIT = 4
for index in range(4):
    memory.begin(str(index), 100, (1, 0))
    memory.done(str(index))
print("lines", len(lines()))
print("full", memory.full(99), memory.full(101))
memory.begin("more", 200, (1, 0))
print("lines", len(lines()))
with open("p", "a") as file:
    file.write('["cut')
memory = PerformedActions("p")
memory.begin("next", 200, (1, 0))
print("lines", lines())`);
    expect(output).toContain('lines 8\nfull True False\nlines 2\n');
    expect(output).toContain(
      `lines ['["more", 200, "begun", 0, 0]', '["", 0, "newest", 1, 0]', '["next", 200, "begun", 1, 0]']`,
    );
  });
});
