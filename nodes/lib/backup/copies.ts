import { lstat, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory } from './aside';
import type { Day } from './days';
import { copyName, filesIn, isPartial, parseCopyName } from './layout';
import { readManifest, writeManifest, type DayCopy, type Manifest } from './manifest';
import { CopyFault, scanFile } from './read-copy';

/** Milliseconds between two times that the manifest is written only to say what was looked at. */
const NOTE_INTERVAL = 2000;
const DAMAGED = '.damaged';

/** The copies of one bucket, while a backup changes them. */
export class Copies {
  readonly directory: string;
  readonly manifest: Manifest;
  #notedAt = -Infinity;

  private constructor(directory: string, manifest: Manifest) {
    this.directory = directory;
    this.manifest = manifest;
  }

  /**
   * Opens the copies of a bucket and settles what an interrupted backup has left. A manifest that is missing or damaged
   * is made anew from the files that are good: their names tell day and sum.
   *
   * @param place - where the data of the bucket is
   * @param hasMoved - the copies are of this very data, though another place was noted for it
   * @param report - is told what was wrong
   * @throws Error when the copies are of another place or bucket; then everything is as it was
   */
  static async open(
    directory: string,
    bucket: string,
    place: string,
    hasMoved: boolean,
    signal: AbortSignal,
    report: (fault: string) => void,
  ): Promise<Copies> {
    // Not the directory of all copies: that is absent while its volume is not mounted, and must not be replaced.
    await makeDirectory(dirname(directory));
    await makeDirectory(directory);
    const found = await readManifest(directory);
    if (found.kind === 'found' && found.manifest.place !== place && !hasMoved) {
      throw new Error(
        `${directory} has the copies of another server (${found.manifest.place}, not ${place}): ` +
          'give the influx-server node another name, or this node another directory; ' +
          'if it is the same data at a new address, send "backup" with msg.confirm = "moved" once',
      );
    }
    // Where capitals make no difference in names, two buckets can have one folder.
    if (found.kind === 'found' && found.manifest.bucket !== bucket) {
      throw new Error(
        `${directory} has the copies of the bucket "${found.manifest.bucket}", not of "${bucket}": ` +
          'choose a directory whose file system tells capitals from small letters',
      );
    }
    const files = await filesIn(directory);
    for (const file of files.filter(isPartial)) await rm(join(directory, file), { force: true });
    if (found.kind === 'found') {
      const copies = new Copies(directory, { ...found.manifest, place });
      await copies.#settleUnnamed(files, signal, report);
      return copies;
    }
    const copies = new Copies(directory, { version: 1, bucket, place, days: {} });
    await copies.#findDays(files, signal, report);
    if (found.kind === 'damaged') report(`${found.reason}; it was made anew from the files`);
    if (found.kind === 'damaged' || Object.keys(copies.manifest.days).length > 0) await copies.save();
    return copies;
  }

  /**
   * Removes files that the manifest does not name when it names another one of their day that is there, and adopts the others:
   * they are all that there is of their day, so an interrupted backup or an older manifest must not cost them.
   */
  async #settleUnnamed(files: readonly string[], signal: AbortSignal, report: (fault: string) => void): Promise<void> {
    const orphans: string[] = [];
    for (const file of files) {
      const parsed = parseCopyName(file);
      const copy = parsed && this.manifest.days[parsed.day];
      if (!parsed || copy?.file === file) continue;
      if (!copy || !(await this.#isThere(copy))) orphans.push(file);
      else await rm(join(this.directory, file), { force: true });
    }
    if (orphans.length === 0) return;
    await this.#findDays(orphans, signal, report);
    await this.save();
  }

  /** Whether it looks as it should; then another file of its day is not needed. */
  async #isThere({ file, bytes }: DayCopy): Promise<boolean> {
    try {
      const found = await lstat(join(this.directory, file));
      return found.isFile() && found.size === bytes;
    } catch (error) {
      ignoreMissing(error as NodeJS.ErrnoException);
      return false;
    }
  }

  async save(): Promise<void> {
    await writeManifest(this.directory, this.manifest);
    this.#notedAt = performance.now();
  }

  /** Remembers that a day was looked at; that may be lost in a crash. */
  async note(day: Day, copy: DayCopy): Promise<void> {
    this.manifest.days[day] = copy;
    if (performance.now() - this.#notedAt >= NOTE_INTERVAL) await this.save();
  }

  /** Makes a file that is in place the copy of the day. The older one goes, or is put by when it cannot be read. */
  async replace(day: Day, copy: DayCopy, isOldFaulty: boolean): Promise<void> {
    const old = this.manifest.days[day];
    this.manifest.days[day] = copy;
    await this.save();
    if (old && old.file !== copy.file) await this.#putAway(old.file, isOldFaulty);
  }

  async remove(day: Day): Promise<void> {
    const old = this.manifest.days[day];
    if (!old) return;
    this.manifest.days = Object.fromEntries(Object.entries(this.manifest.days).filter(([each]) => each !== day));
    await this.save();
    await this.#putAway(old.file, false);
  }

  async #putAway(file: string, isFaulty: boolean): Promise<void> {
    const path = join(this.directory, file);
    if (!isFaulty) await rm(path, { force: true });
    else await rename(path, `${path}${DAMAGED}`).catch(ignoreMissing);
  }

  async #findDays(files: readonly string[], signal: AbortSignal, report: (fault: string) => void): Promise<void> {
    const candidates = new Set(files);
    for (const file of files) {
      const parsed = parseCopyName(file);
      if (!parsed) continue;
      const path = join(this.directory, file);
      try {
        const { mtime, size } = await lstat(path);
        const { sha256, points, first, last, hours } = await scanFile(path, parsed.day, signal);
        if (copyName(parsed.day, sha256) !== file) throw new CopyFault('does not have the sum that its name tells');
        const written = mtime.toISOString();
        const known = this.manifest.days[parsed.day];
        if (known && candidates.has(known.file) && known.written > written) continue;
        const replaced = known && !candidates.has(known.file) ? known.file : undefined;
        this.manifest.days[parsed.day] = {
          file,
          points,
          bytes: size,
          sha256,
          first: String(first),
          last: String(last),
          written,
          checked: written,
          hours,
        };
        // It was not as it should be.
        if (replaced !== undefined) await this.#putAway(replaced, true);
      } catch (error) {
        if (!(error instanceof CopyFault)) throw error;
        report(`${file} ${error.message}`);
        await rename(path, `${path}${DAMAGED}`);
      }
    }
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
