import { RequestError, ask } from './request';
import { clearResult, showResult } from './result';
import { translate } from './translate';

/** What `POST mqtt2influx/influx-server/queues` answers. */
interface QueueList {
  place: string;
  buckets: { bucket: string; points: number; reason: string }[];
  unowned: { queue: string; points: number }[];
}

/** Shows what waits in the queue of the deployed node, and queues that no node has; both can be discarded. */
export function prepareQueueList(id: string): void {
  const list = $('#influx-server-queues');
  const result = $('#influx-server-queue-result');

  const attempt = async (work: () => Promise<void>): Promise<void> => {
    clearResult(result);
    try {
      await work();
    } catch (error) {
      showResult(result, 'failure', translate('influx-server.queue.failed'), [reason(error)].filter(Boolean));
    }
  };
  const act = (path: string, body: Record<string, unknown>, question: string | undefined, done: string) => {
    if (question !== undefined && !confirm(question)) return;
    void attempt(async () => {
      const { points } = await ask<{ points: number }>(path, { id, ...body });
      await show();
      showResult(result, 'success', translate(done, { points }));
    });
  };
  const row = (text: string, details: string): JQuery => {
    const item = $('<li>').text(text).appendTo(list);
    if (details !== '') $('<div class="mqtt2influx-detail">').text(details).appendTo(item);
    return item;
  };
  const button = (item: JQuery, label: string, click: () => void): void => {
    const made = $('<button type="button" class="red-ui-button red-ui-button-small">').text(translate(label));
    made.on('click', click);
    item.append(' ', made);
  };
  const show = async (): Promise<void> => {
    const { buckets, unowned } = await ask<QueueList>('influx-server/queues', { id });
    list.empty();
    if (buckets.length + unowned.length === 0) row(translate('influx-server.queue.empty'), '');
    for (const { bucket, points, reason: why } of buckets) {
      const item = row(translate('influx-server.queue.bucket', { bucket, points }), why);
      const question = translate('influx-server.queue.discard-bucket', { bucket, points });
      button(item, 'influx-server.button.discard', () =>
        act('influx-server/discard', { bucket }, question, 'influx-server.queue.discarded'),
      );
    }
    for (const { queue, points } of unowned) {
      const item = row(translate('influx-server.queue.unowned', { queue, points }), '');
      button(item, 'influx-server.button.take-over', () =>
        act('influx-server/take-over', { queue }, undefined, 'influx-server.queue.taken-over'),
      );
      const question = translate('influx-server.queue.discard-queue', { queue, points });
      button(item, 'influx-server.button.discard', () =>
        act('influx-server/discard', { queue }, question, 'influx-server.queue.discarded'),
      );
    }
  };
  $('#influx-server-show-queues').on('click', () => void attempt(show));
}

function reason(error: unknown): string {
  if (!(error instanceof RequestError)) return String(error);
  if (error.status === 401 || error.status === 403) return translate('influx-server.test.no-permission');
  return error.message;
}
