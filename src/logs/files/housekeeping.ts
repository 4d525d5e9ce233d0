/**
 * What becomes of rotated files: they are compressed, and deleted when there are too many. Runs in the supervisor; which ones is
 * decided in rotation.ts, their names are in names.ts.
 *
 * At every instant a rotated file's lines are under exactly one name, so that a supervisor that is killed leaves either the plain
 * file or the whole compressed one: the compressed copy first takes the plain one's name, in one step, and then its own. Where a kill
 * came in between, the next supervisor sees by the content that the last step is missing.
 */
import path from "node:path";
import type { Clock, Timer } from "../../clock.ts";
import type { Disk } from "./disk.ts";
import { type RotatedName, rotatedSiblings, unfinishedName, unfinishedSiblings } from "./names.ts";
import { expired, type KeepLimits, type KeptFile } from "./rotation.ts";

export interface HousekeepingOptions {
  readonly keep: KeepLimits;
  readonly compress: boolean;
  /** Bytes that a file may come to before it is rotated, if it is rotated by size. */
  readonly rotateSize: number | undefined;
  readonly disk: Disk;
  readonly clock: Clock;
}

/** What is asked and told of a file whose siblings are kept. */
export interface Keeper {
  /** Bytes of the file that is written. */
  size(): number;
  /** Told after every round, with what failed in it. */
  done(error: unknown): void;
}

/** How long a rotated file stays plain, in milliseconds: another process may notice only within a second that it was renamed. */
const COMPRESS_AFTER = 3000;
/** How often files are looked at though nothing was rotated, in milliseconds: they grow older. */
const ROUND_MS = 600_000;

/** Looks after the rotated siblings of log files, one file at a time. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #files = new Map<string, Rotated>();
  /** One at a time: compressing is work for a whole core. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /** Begins to look after a file's siblings, with what an earlier supervisor left. */
  watch(file: string, keeper: Keeper): void {
    if (this.#files.has(file)) return;
    const rotated = new Rotated(file, keeper, { ...this.#options, inTurn: (work) => this.#inTurn(work) });
    this.#files.set(file, rotated);
    rotated.begin();
  }

  /** The stamp of the newest sibling. */
  async newest(file: string): Promise<number | undefined> {
    return this.#files.get(file)?.newest();
  }

  /** A sibling has been made with that stamp. */
  named(file: string, stamp: number): void {
    this.#files.get(file)?.named(stamp);
  }

  /** A file has been rotated. */
  rotated(file: string): void {
    this.#files.get(file)?.wake();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    // Who comes next does not care how it went.
    this.#turn = done.catch(() => {});
    return done;
  }
}

interface RotatedOptions extends HousekeepingOptions {
  readonly inTurn: (work: () => Promise<void>) => Promise<void>;
}

/** The rotated siblings of one file. */
class Rotated {
  readonly #file: string;
  readonly #folder: string;
  readonly #keeper: Keeper;
  readonly #options: RotatedOptions;
  /** Sizes do not change any more. */
  readonly #sizes = new Map<string, number>();
  #newest: Promise<number | undefined> | undefined;
  #timer: Timer | undefined;
  #isRunning = false;
  #runAgain = false;
  #isFirstRound = true;

  constructor(file: string, keeper: Keeper, options: RotatedOptions) {
    this.#file = file;
    this.#folder = path.dirname(file);
    this.#keeper = keeper;
    this.#options = options;
  }

  begin(): void {
    this.wake();
  }

  /** A folder that cannot be listed now may be one the next time. */
  async newest(): Promise<number | undefined> {
    this.#newest ??= this.#siblings().then((siblings) => siblings.at(-1)?.stamp);
    try {
      return await this.#newest;
    } catch (error) {
      this.#newest = undefined;
      throw error;
    }
  }

  named(stamp: number): void {
    this.#newest = Promise.resolve(stamp);
  }

  /** Begins a round, or has the one that runs followed by another. */
  wake(): void {
    const { compress, keep } = this.#options;
    const isWanted = compress || keep.age !== undefined || keep.files !== undefined || keep.totalSize !== undefined;
    if (!isWanted && !this.#isFirstRound) return;
    if (this.#isRunning) {
      this.#runAgain = true;
      return;
    }
    this.#isRunning = true;
    void this.#round()
      .then(
        () => this.#keeper.done(undefined),
        (error: unknown) => this.#keeper.done(error),
      )
      .finally(() => this.#rest());
  }

  #rest(): void {
    this.#isRunning = false;
    if (!this.#runAgain) return;
    this.#runAgain = false;
    this.wake();
  }

  async #round(): Promise<void> {
    const { clock, compress } = this.#options;
    if (this.#isFirstRound) await this.#repair();
    this.#isFirstRound = false;
    await this.#deleteExpired();
    this.#timer?.cancel();
    this.#timer = clock.after(ROUND_MS, () => this.wake());
    if (!compress) return;
    const plain = (await this.#siblings()).filter(({ isCompressed }) => !isCompressed);
    for (const sibling of plain) {
      const wait = sibling.stamp + COMPRESS_AFTER - clock.date();
      if (wait > 0 && wait <= COMPRESS_AFTER) {
        this.#timer.cancel();
        this.#timer = clock.after(wait, () => this.wake());
        return;
      }
      await this.#options.inTurn(() => this.#compress(sibling));
      // More may have been rotated meanwhile than may be kept.
      if (this.#runAgain) await this.#deleteExpired();
    }
  }

  /** Finishes what a supervisor began that was killed. */
  async #repair(): Promise<void> {
    const { disk } = this.#options;
    const names = await disk.list(this.#folder);
    for (const name of unfinishedSiblings(this.#file, names)) await disk.remove(this.#pathOf(name));
    for (const { name, isCompressed } of rotatedSiblings(this.#file, names)) {
      if (!isCompressed && (await disk.isCompressed(this.#pathOf(name)))) await this.#nameCompressed(name);
    }
  }

  async #compress({ name }: RotatedName): Promise<void> {
    const { disk } = this.#options;
    const unfinished = this.#pathOf(unfinishedName(name));
    // Somebody may have deleted it, or this supervisor itself has.
    if ((await disk.facts(this.#pathOf(name))) === undefined) return;
    await disk.remove(unfinished);
    await disk.compress(this.#pathOf(name), unfinished).catch(async (error: unknown) => {
      await disk.remove(unfinished).catch(() => {});
      throw error;
    });
    await disk.rename(unfinished, this.#pathOf(name));
    await this.#nameCompressed(name);
    this.#sizes.delete(name);
  }

  #nameCompressed(name: string): Promise<void> {
    return this.#options.disk.rename(this.#pathOf(name), this.#pathOf(`${name}.gz`));
  }

  async #deleteExpired(): Promise<void> {
    const { keep, rotateSize, disk, clock } = this.#options;
    const files = await this.#measured();
    const reserved = Math.max(rotateSize ?? 0, this.#keeper.size());
    for (const name of expired(files, keep, { now: clock.date(), reserved })) {
      await disk.remove(this.#pathOf(name));
      this.#sizes.delete(name);
    }
  }

  /** The siblings with their sizes, where those are asked for. */
  async #measured(): Promise<KeptFile[]> {
    const { keep, disk } = this.#options;
    const files: KeptFile[] = [];
    for (const { name, stamp } of await this.#siblings()) {
      if (keep.totalSize !== undefined && !this.#sizes.has(name)) {
        const facts = await disk.facts(this.#pathOf(name));
        this.#sizes.set(name, facts?.size ?? 0);
      }
      files.push({ name, stamp, size: this.#sizes.get(name) ?? 0 });
    }
    return files;
  }

  async #siblings(): Promise<RotatedName[]> {
    return rotatedSiblings(this.#file, await this.#options.disk.list(this.#folder));
  }

  #pathOf(name: string): string {
    return path.join(this.#folder, name);
  }
}
