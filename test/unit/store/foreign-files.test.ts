import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Store } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';

it.each(['CURRENT', 'CLOSED', 'REPAIR', '000003.log'])(
  'a pipe in the place of %s is refused, not waited for',
  async (name) => {
    const directory = tempDirectory('foreign');
    expect(spawnSync('mkfifo', [join(directory, name)]).status).toBe(0);
    await expect(Store.open(directory)).rejects.toMatchObject({
      code: 'store-unavailable',
      message: expect.stringContaining(`${name} is not a regular file`) as string,
    });
  },
);

it.each(['CLOSED.part', 'MANIFEST-000004', '000005.ldb', '000004.dbtmp'])(
  'a link in the place of %s leaves what it points to as it is',
  async (name) => {
    const directory = join(tempDirectory('foreign'), 'store');
    mkdirSync(directory);
    const outside = join(directory, '../outside');
    writeFileSync(outside, 'somebody else’s');
    symlinkSync(outside, join(directory, name));
    await expect(Store.open(directory)).rejects.toMatchObject({ code: 'store-unavailable' });
    expect(readFileSync(outside, 'utf8')).toBe('somebody else’s');
  },
);
