import { pathToFileURL } from 'node:url';

/** The middle value; half of the values are below it. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Whether a module is the script that was started. */
export function isMain(url) {
  return process.argv[1] !== undefined && url === pathToFileURL(process.argv[1]).href;
}

/** Prints rows under a heading, columns aligned. */
export function printTable(headings, rows, columns) {
  const lines = [headings, ...rows.map((row) => columns.map((column) => column(row)))];
  const widths = headings.map((_, index) => Math.max(...lines.map((line) => line[index].length)));
  for (const line of lines) console.log(line.map((cell, index) => cell.padStart(widths[index])).join('  '));
}

/** The topic of a device by its number. */
export function topicOf(number) {
  return `sensors/site${number % 100}/device${number}/climate`;
}

const ENTRY = {
  kind: 'sensor',
  bucket: 'raw',
  measurement: 'climate',
  fields: {
    temperature: { type: 'float', unit: '°C', minimum: -40, maximum: 85 },
    humidity: { type: 'float', unit: '%', minimum: 0, maximum: 100, optional: true },
  },
  interval: '10s',
};

/**
 * A registry for the topics of devices 0, 1, 2…, as JSON.
 *
 * @param {'exact' | 'captured' | 'patterns' | 'distinct'} form an entry a topic; one entry with captures for all; an
 *   entry with a capture for each device; an entry a topic, each with a payload format of its own
 */
export function registryText(topics, form) {
  const entries = {};
  for (let number = 0; number < topics; number += 1) {
    const [site, device] = [`site${number % 100}`, `device${number}`];
    const own = { ...ENTRY, device: `${site}/${device}`, tags: { site, device } };
    if (form === 'distinct') own.fields = { ...ENTRY.fields, humidity: { ...ENTRY.fields.humidity, minimum: -number } };
    if (form === 'patterns')
      entries[`sensors/{site}/${device}/climate`] = {
        ...own,
        device: `{site}/${device}`,
        tags: { site: '{site}', device },
      };
    else entries[topicOf(number)] = own;
  }
  const captured = { ...ENTRY, device: '{site}/{device}', tags: { site: '{site}', device: '{device}' } };
  const document = { version: 1, buckets: { raw: { retention: '30d' } } };
  return JSON.stringify({
    ...document,
    topics: form === 'captured' ? { 'sensors/{site}/{device}/climate': captured } : entries,
  });
}
