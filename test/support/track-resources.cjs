// Preloaded into Node-RED by a test that looks for what a closed node leaves behind: remembers every timer, socket,
// server and file watcher that the pack's own code made and that has not been destroyed.
const { createHook } = require('node:async_hooks');

const TYPES = new Set(['Timeout', 'TCPWRAP', 'TCPSERVERWRAP', 'TLSWRAP', 'FSEVENTWRAP', 'STATWATCHER']);
const live = new Map();
Error.stackTraceLimit = 50;

createHook({
  init(id, type) {
    if (!TYPES.has(type)) return;
    const { stack } = new Error(type);
    if (
      /[\\/]dist[\\/](lib|hmac-verify|registry-route|influx-write|alarm-state|iot-sign-publish|influx-server|iot-registry|iot-keyring)[\\/]/.test(
        stack,
      )
    ) {
      live.set(id, { type, stack });
    }
  },
  destroy(id) {
    live.delete(id);
  },
}).enable();

globalThis.testResources = () => [...live.values()];
