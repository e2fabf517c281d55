// The devices: signs all messages first, says `ready`, and publishes them as fast as the broker takes them on SIGCONT.
// Prints the milliseconds since 1970 of the first and the last publish.
import { connect } from 'mqtt';
import { signedMessages } from './load';

const IN_FLIGHT = 400;

const [brokerUrl = '', count = '', between] = process.argv.slice(2);
const messages = signedMessages(Number(count), between === undefined ? undefined : Number(between));
const client = connect(brokerUrl, { clientId: 'bench-devices' });

function publishAll(): Promise<void> {
  return new Promise((resolve, reject) => {
    let next = 0;
    let done = 0;
    const publishNext = (): void => {
      const message = messages[next++];
      if (!message) return;
      client.publish(message.topic, message.payload, { qos: 0 }, (error) => {
        if (error) reject(error);
        else if (++done === messages.length) resolve();
        else publishNext();
      });
    };
    for (let started = 0; started < IN_FLIGHT; started++) publishNext();
  });
}

async function publish(): Promise<void> {
  const first = Date.now();
  await publishAll();
  console.log(JSON.stringify({ first, last: Date.now() }));
  await client.endAsync();
}

process.once('SIGCONT', () => void publish());
client.once('connect', () => console.log('ready'));
