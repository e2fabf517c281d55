import { expect, test } from 'vitest';
import { placeOf } from '../../../nodes/lib/influx/place';

test('a place is a server, and what it holds', () => {
  const url = 'http://localhost:8086';
  const place = placeOf({ version: '1', url, database: 'iot', timeout: 1 });
  expect(place).toBe('http://localhost:8086, database iot');
  expect(placeOf({ version: '1', url: ' HTTP://LOCALHOST:8086/ ', database: 'iot', timeout: 2 })).toBe(place);
  expect(placeOf({ version: '1', url, database: 'other', timeout: 1 })).not.toBe(place);
  expect(placeOf({ version: '2', url, organization: 'house', database: 'left over', timeout: 1 })).toBe(
    'http://localhost:8086, organization house',
  );
  expect(placeOf({ version: '3', url: 'https://influx.house/at/', organization: 'left over', timeout: 1 })).toBe(
    'https://influx.house/at',
  );
});
