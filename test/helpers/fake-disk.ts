/**
 * A disk in memory that counts every step, and fails or dies at any of them: what a `kill -9` of the supervisor leaves, after each
 * system call and within each write. Used in unit tests.
 */
import { gunzipSync, gzipSync } from "node:zlib";
import type { Disk, FileFacts, OpenFile } from "../../src/logs/files/disk.ts";

interface Inode {
  readonly id: string;
  content: Buffer;
  modifiedAt: number;
}

/** What the machine has when a supervisor is gone: the next one's disk begins with it. */
export type Remains = ReadonlyMap<string, Inode>;

export interface FakeDiskOptions {
  readonly now: () => number;
  readonly remains?: Remains;
  /** The step at which the supervisor is killed; never by default. */
  readonly diesAt?: number;
  /** How much of the write at which it is killed has been written, 0 to 1. */
  readonly share?: number;
}

export class FakeDisk implements Disk {
  readonly #options: FakeDiskOptions;
  readonly files: Map<string, Inode>;
  steps = 0;
  /** Bytes that all files may have together. */
  capacity = Infinity;
  /** Gives the code with which a step fails. */
  failure: (step: string, file: string) => string | undefined = () => undefined;
  #inodes = 0;

  constructor(options: FakeDiskOptions) {
    this.#options = options;
    this.files = new Map(options.remains);
    this.#inodes = 1000 * this.files.size;
  }

  get hasDied(): boolean {
    return this.steps > (this.#options.diesAt ?? Infinity);
  }

  /** All lines of a file and its siblings, compressed or not, in the order of their names; the written file last. */
  lines(file: string): string[] {
    const stem = file.replace(/\.log$/, ".");
    const rotated = [...this.files.keys()]
      .filter((name) => name.startsWith(stem) && /Z\.log(\.gz)?$/.test(name))
      .sort();
    return [...rotated, file].flatMap((name) => this.text(name).split("\n").slice(0, -1));
  }

  /** What a file holds, decompressed if it is. */
  text(file: string): string {
    const content = this.files.get(file)?.content ?? Buffer.alloc(0);
    return (content[0] === 0x1f && content[1] === 0x8b ? gunzipSync(content) : content).toString();
  }

  async openLog(file: string): Promise<OpenFile> {
    await this.#step("open", file);
    let inode = this.files.get(file);
    if (inode === undefined) {
      this.#inodes += 1;
      inode = { id: `1:${this.#inodes}`, content: Buffer.alloc(0), modifiedAt: this.#options.now() };
      this.files.set(file, inode);
    }
    return this.#opened(inode, file);
  }

  async facts(file: string): Promise<FileFacts | undefined> {
    await this.#step("facts", file);
    const inode = this.files.get(file);
    return inode && factsOf(inode);
  }

  async resolve(file: string): Promise<string> {
    return file;
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step("rename", from);
    const inode = this.files.get(from);
    if (inode === undefined) throw failure("ENOENT");
    if (this.files.get(to)?.content.length && !from.endsWith(".tmp")) throw new Error(`${to} would be overwritten`);
    this.files.delete(from);
    this.files.set(to, inode);
  }

  async remove(file: string): Promise<void> {
    await this.#step("remove", file);
    this.files.delete(file);
  }

  async list(): Promise<string[]> {
    await this.#step("list", "/");
    return [...this.files.keys()].map((file) => file.slice(1));
  }

  async compress(from: string, to: string): Promise<void> {
    const source = this.files.get(from);
    if (source === undefined) throw failure("ENOENT");
    if (this.files.has(to)) throw failure("EEXIST");
    const whole = gzipSync(source.content);
    this.#inodes += 1;
    const inode = { id: `1:${this.#inodes}`, content: Buffer.alloc(0), modifiedAt: source.modifiedAt };
    await this.#step("compress", from);
    this.files.set(to, inode);
    await this.#step("compress", from, () => (inode.content = whole.subarray(0, whole.length / 2)));
    inode.content = whole;
  }

  async isCompressed(file: string): Promise<boolean> {
    await this.#step("read", file);
    const content = this.files.get(file)?.content;
    return content?.[0] === 0x1f && content[1] === 0x8b;
  }

  #opened(inode: Inode, file: string): OpenFile {
    const write = (bytes: Buffer): void => {
      inode.content = Buffer.concat([inode.content, bytes]);
      inode.modifiedAt = this.#options.now();
    };
    return {
      facts: async () => factsOf(inode),
      endsClean: async (size) => size === 0 || inode.content[size - 1] === 0x0a,
      append: async (parts) => {
        const bytes = Buffer.concat(parts);
        const { share = 0 } = this.#options;
        await this.#step("append", file, () => write(bytes.subarray(0, Math.floor(bytes.length * share))));
        const room = Math.max(
          0,
          this.capacity - [...this.files.values()].reduce((sum, f) => sum + f.content.length, 0),
        );
        if (room === 0) throw failure("ENOSPC");
        write(bytes.subarray(0, room));
        return Math.min(bytes.length, room);
      },
      truncate: async (size) => {
        await this.#step("truncate", file);
        inode.content = inode.content.subarray(0, size);
      },
      close: async () => {},
    };
  }

  /** One system call. After its death a process makes no further one, and no promise of it is ever settled. */
  async #step(step: string, file: string, dying?: () => void): Promise<void> {
    this.steps += 1;
    if (this.steps === (this.#options.diesAt ?? Infinity) + 1) dying?.();
    if (this.hasDied) return new Promise(() => {});
    await Promise.resolve();
    const code = this.failure(step, file);
    if (code !== undefined) throw failure(code);
  }
}

function factsOf({ id, content, modifiedAt }: Inode): FileFacts {
  return { id, size: content.length, modifiedAt, isFile: true };
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
