// A node for the tests: hands every message it gets to the test's process over TCP, one line of JSON each. What comes
// before the connection stands waits, so that nothing is lost; what was written before a SIGKILL has left the process.
const { connect } = require('node:net');

module.exports = function (RED) {
  function TestCollect(config) {
    RED.nodes.createNode(this, config);
    const properties = String(config.properties || '')
      .split(',')
      .filter(Boolean);
    const socket = connect(Number(config.port), '127.0.0.1').setNoDelay();
    socket.on('error', (error) => this.error(`collector: ${error.message}`));
    this.on('input', (message, send, done) => {
      const picked = properties.length === 0 ? message : {};
      for (const property of properties) picked[property] = message[property];
      // A client's request and response objects cannot be written down.
      const { req, res, ...plain } = picked;
      void [req, res];
      socket.write(`${JSON.stringify({ label: config.label, message: plain })}\n`);
      done();
    });
    this.on('close', (done) => socket.end(done));
  }
  RED.nodes.registerType('test-collect', TestCollect);

  RED.httpAdmin.get('/test-process', (request, response) => {
    response.json({
      memory: process.memoryUsage(),
      // Kept by track-resources.cjs when that was preloaded.
      resources: globalThis.testResources ? globalThis.testResources() : [],
      listeners: RED.events.eventNames().reduce((sum, name) => sum + RED.events.listenerCount(name), 0),
      processListeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    });
  });
};
