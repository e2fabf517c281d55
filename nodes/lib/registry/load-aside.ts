import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { reasonOf } from '../errors';
import { readDocument, registryOf, type LoadedRegistry, type ReadDocument } from './load';
import type { Fault } from './fault';

/** A document up to this length is read in some milliseconds; YAML of a megabyte takes seconds. */
const SHORT = 32_768;
/** Nothing that takes longer is worth waiting for. */
const LONGEST_WAIT = 120_000;
const HEAP_MEGABYTES = 512;

/** Whoever wants a document read waits for those before: one thread at a time. */
let last: Promise<unknown> = Promise.resolve();

/** Whether a document is read at once. */
export function isShort(text: string): boolean {
  return text.length <= SHORT;
}

/** What a document is, found out without holding up the event loop. Never rejects. */
export async function readAside(text: string): Promise<ReadDocument> {
  if (isShort(text)) return readDocument(text);
  const read = last.then(() => inThread(text));
  last = read;
  return read;
}

/** The registry of a document, or its faults; reading it does not hold up the event loop. Never rejects. */
export async function loadAside(text: string): Promise<LoadedRegistry> {
  const read = await readAside(text);
  return 'faults' in read ? read : { registry: registryOf(read.value), warnings: read.warnings };
}

function inThread(text: string): Promise<ReadDocument> {
  return new Promise((resolve) => {
    const worker = new Worker(join(__dirname, 'load-worker.js'), {
      workerData: text,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
    });
    const failed = (reason: string): Fault[] => [{ path: '', reason: `the document cannot be read: ${reason}` }];
    const end = (read: ReadDocument): void => {
      clearTimeout(timer);
      void worker.terminate();
      resolve(read);
    };
    const timer = setTimeout(
      () => end({ faults: failed(`that takes more than ${LONGEST_WAIT / 1000} seconds`) }),
      LONGEST_WAIT,
    );
    worker.once('message', end);
    worker.once('error', (error) => end({ faults: failed(reasonOf(error)) }));
  });
}
