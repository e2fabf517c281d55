// Preloaded into Node-RED: prints once a second for how long its event loop was held at most, in milliseconds. What counts
// is the smaller of the time on the clock and the processor's time, so that a busy machine does not count.
'use strict';

let clock = performance.now();
let processor = process.cpuUsage();
let longest = 0;

setInterval(() => {
  const now = performance.now();
  const { user, system } = process.cpuUsage(processor);
  longest = Math.max(longest, Math.min(now - clock, (user + system) / 1000));
  clock = now;
  processor = process.cpuUsage();
}, 5).unref();

setInterval(() => {
  console.log(`event loop held ${Math.round(longest)} ms`);
  longest = 0;
}, 1000).unref();
