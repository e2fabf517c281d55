import { rowsOfMinute } from './influxdb/api.mjs';

const FIELD = 'temperature';
const RESULTS = ['count', 'mean', 'min', 'max'];
/** Additions in another order give another last digit. */
const TOLERANCE = 1e-12;

/**
 * What InfluxDB holds as averages of the minutes in which readings came late, and what they should be by the readings
 * that it holds: a list of { minute, expected, seen }, each an object { count, mean, min, max } or undefined.
 */
export async function averagesOf(influxdb, { device, minutes }) {
  const read = (bucket, fields, minute) =>
    rowsOfMinute(influxdb, { bucket, measurement: 'climate', fields, device, minute });
  return Promise.all(
    minutes.map(async (minute) => {
      const [row] = await read(
        'averages',
        RESULTS.map((name) => `${FIELD}_${name}`),
        minute,
      );
      const seen = row && Object.fromEntries(RESULTS.map((name) => [name, row[`${FIELD}_${name}`]]));
      const values = (await read('raw', [FIELD], minute)).map((reading) => reading[FIELD]);
      return { minute, expected: aggregated(values), seen };
    }),
  );
}

function aggregated(values) {
  if (values.length === 0) return undefined;
  const sum = values.reduce((total, value) => total + value, 0);
  const count = values.length;
  return { count, mean: sum / count, min: Math.min(...values), max: Math.max(...values) };
}

/** Whether the averages of a minute are there and right. */
export function isRight({ expected, seen }) {
  if (!expected || !seen) return false;
  return RESULTS.every((name) => Math.abs(seen[name] - expected[name]) <= TOLERANCE * Math.abs(expected[name]));
}
