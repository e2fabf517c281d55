import type { PackError } from '../errors';
import type { OpenChunk } from './lane';
import { surface } from './listeners';

/** Counts what became of accepted lines, and tells those who handed them in. */
export function settle(chunks: readonly OpenChunk[], error?: PackError): void {
  // All is counted before anybody is called, so that whoever looks at the totals then finds them right.
  for (const { counters, lines } of chunks) {
    counters.accepting -= lines.length;
    counters[error === undefined ? 'accepted' : 'failed'] += lines.length;
  }
  for (const { stored } of chunks) {
    for (const callback of stored) {
      try {
        callback(error);
      } catch (fault) {
        surface(fault);
      }
    }
  }
}
