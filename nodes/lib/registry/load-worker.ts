/** Reads one registry document in a thread of its own, for load-aside.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { readDocument } from './load';

parentPort?.postMessage(readDocument(workerData as string));
