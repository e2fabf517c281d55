const DEVICE = 'cellar/heater';

/** Where the valve gets its actions. */
export const VALVE = { device: DEVICE, topic: `actions/${DEVICE}/valve` };

/** Names of this run alone: what an earlier one that was killed has left in the store must not be counted. */
const run = `${process.pid}${Date.now().toString(36)}`;
const name = (what) => `demo-${what}-${run}`;

/** Ids of what is added to the pipeline. */
export const operationNodes = { alarms: name('alarms'), publish: name('publish'), button: name('button') };

/** The pipeline with an alarm state behind it, and a button beside it that moves a valve. */
export function withOperations(nodes) {
  const only = (type) => nodes.find((node) => node.type === type);
  const [write, route, registry, keyring, broker, server] = [
    ...['influx-write', 'registry-route', 'iot-registry', 'iot-keyring', 'mqtt-broker', 'influx-server'],
  ].map(only);
  const { alarms, publish, button } = operationNodes;
  const changed = nodes.map((node) => {
    if (node !== route) return node;
    const [sensors, alarmMessages, ...others] = node.wires;
    return { ...node, wires: [[...sensors, alarms], [...alarmMessages, alarms], ...others] };
  });
  const add = (type, id, label, x, y, options) => ({ id, type, z: route.z, name: label, x, y, ...options });
  const debug = (what, label, x, y, complete) =>
    add('debug', name(what), label, x, y, {
      ...{ active: true, tosidebar: true, console: false, tostatus: false },
      ...{ complete, targetType: 'msg', statusVal: '', statusType: 'auto', wires: [] },
    });
  const toggle = `const position = context.get('position') === 100 ? 0 : 100;
context.set('position', position);
return { topic: '${VALVE.topic}', payload: { position } };`;
  return [
    ...changed,
    add('alarm-state', alarms, 'Raised or cleared?', 750, 500, {
      ...{ version: 1, registry: registry.id, onDelay: 0, offDelay: 0 },
      wires: [[name('changes'), write.id], []],
    }),
    debug('changes', 'Alarms', 950, 500, 'alarm'),
    add('inject', button, 'Open or close', 130, 580, {
      ...{ props: [], repeat: '', crontab: '', once: false, onceDelay: 0.1, topic: '' },
      wires: [[name('toggle')]],
    }),
    add('function', name('toggle'), 'Which way?', 310, 580, {
      ...{ func: toggle, outputs: 1, timeout: 0, noerr: 0, initialize: '', finalize: '', libs: [] },
      wires: [[publish]],
    }),
    add('iot-sign-publish', publish, 'Move the valve', 500, 580, {
      ...{ version: 1, registry: registry.id, keyring: keyring.id, broker: broker.id, server: server.id, expires: 20 },
      wires: [[], [name('acknowledged')], [name('failed')]],
    }),
    debug('acknowledged', 'Performed', 710, 560, 'action'),
    debug('failed', 'Not performed', 720, 620, 'rejected'),
  ];
}
