import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { folder } from '../folder.mjs';
import { findProgram, run } from '../programs.mjs';

const MINUTES = 60_000;

/**
 * The `influxd` of the system's own package `influxdb`, unpacked in the demo's folder: that needs no administrator,
 * and no service is started that would take port 8086. Undefined where there is no apt or no such package.
 */
export async function unpackDebianPackage() {
  const directory = folder('influxdb-package');
  const program = join(directory, 'usr', 'bin', 'influxd');
  if (existsSync(program)) return program;
  const apt = findProgram('apt-get');
  const dpkg = findProgram('dpkg-deb');
  if (!apt || !dpkg) return undefined;

  console.log('Fetching the package influxdb (about 5 MB) …');
  const download = () => run(apt, ['download', 'influxdb'], { cwd: directory, timeout: 5 * MINUTES });
  let result = await download();
  if (result.code !== 0 && process.getuid?.() === 0) {
    await run(apt, ['update'], { timeout: 5 * MINUTES });
    result = await download();
  }
  const file = readdirSync(directory).find((name) => name.endsWith('.deb'));
  if (result.code !== 0 || !file) return undefined;
  await run(dpkg, ['--extract', join(directory, file), directory], { timeout: MINUTES });
  return existsSync(program) ? program : undefined;
}
