import { expect } from 'vitest';
import type { Metrics } from './metrics';

const PASSED: Record<string, string> = {
  'hmac-verify': 'mqtt2influx_messages_verified_total',
  'registry-route': 'mqtt2influx_messages_routed_total',
  'influx-write': 'mqtt2influx_messages_accepted_total',
  'alarm-state': 'mqtt2influx_messages_judged_total',
  'iot-sign-publish': 'mqtt2influx_messages_signed_total',
};

/** Sums of one node, as the metrics have them. */
export function messagesOf(metrics: Metrics, node: string, type: string): Record<string, number> {
  return {
    received: metrics.sum('mqtt2influx_messages_received_total', { node }),
    passed: metrics.sum(PASSED[type] ?? '', { node }),
    rejected: metrics.sum('mqtt2influx_messages_rejected_total', { node }),
    failed: metrics.sum('mqtt2influx_messages_failed_total', { node }),
    pending: metrics.sum('mqtt2influx_messages_pending', { node }),
  };
}

export interface PointTotals {
  accepted: number;
  recovered: number;
  written: number;
  refused: number;
  dropped: number;
  damaged: number;
  queued: number;
  accepting: number;
}

/** What became of the points of one server. */
export function pointsOf(metrics: Metrics, server: string): PointTotals {
  const counter = (name: string): number => metrics.sum(`mqtt2influx_points_${name}_total`, { server });
  return {
    accepted: counter('accepted'),
    recovered: counter('recovered'),
    written: counter('written'),
    refused: counter('refused'),
    dropped: counter('dropped'),
    damaged: counter('damaged'),
    queued: metrics.sum('mqtt2influx_points_queued', { server }),
    accepting: metrics.sum('mqtt2influx_points_accepting', { server }),
  };
}

/**
 * Every message and every point is accounted for: at each node `received = passed + rejected + failed + pending`, at each
 * server `accepted + recovered = written + refused + dropped + damaged + queued`. Holds at any moment.
 */
export function expectAccountsBalance(metrics: Metrics): void {
  for (const sample of metrics.samples) {
    if (sample.name === 'mqtt2influx_messages_received_total') {
      const { node = '', type = '' } = sample.labels;
      const { received, passed = 0, rejected = 0, failed = 0, pending = 0 } = messagesOf(metrics, node, type);
      expect(passed + rejected + failed + pending, `messages of ${type} ${node}`).toBe(received);
    }
    if (sample.name === 'mqtt2influx_points_accepted_total') {
      const { server = '' } = sample.labels;
      const { accepted, recovered, written, refused, dropped, damaged, queued } = pointsOf(metrics, server);
      expect(written + refused + dropped + damaged + queued, `points of ${server}`).toBe(accepted + recovered);
    }
  }
}
