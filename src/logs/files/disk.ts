/** What log files need of a file system: the only file of the logs that touches it. Runs in the supervisor. */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, realpath, rename, stat, unlink } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";

/** A file as the system knows it. */
export interface FileFacts {
  /** The same for two names of one file. */
  readonly id: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number;
  readonly isFile: boolean;
}

/** Who may read a log file; undefined leaves it as the system makes it. */
export interface Ownership {
  readonly mode: number;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** A file that is open for writing at its end. */
export interface OpenFile {
  facts(): Promise<FileFacts>;
  /** Whether it is empty or ends with a line break. */
  endsClean(size: number): Promise<boolean>;
  /** Appends, and says how many bytes of it; fewer than there are when the disk has no room for more. */
  append(parts: readonly Buffer[]): Promise<number>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

/** Every method rejects with the system's error; a file that is not there is no error where undefined is a result. */
export interface Disk {
  /** Opens a file for appending, and makes it and its folder when they are not there. */
  openLog(file: string, ownership: Ownership): Promise<OpenFile>;
  facts(file: string): Promise<FileFacts | undefined>;
  /** The file's path without symbolic links; the path itself when there is no such file. */
  resolve(file: string): Promise<string>;
  rename(from: string, to: string): Promise<void>;
  remove(file: string): Promise<void>;
  list(folder: string): Promise<string[]>;
  /** Writes a compressed copy, with owner, mode and date of the original, to the end of the disk's own buffers. */
  compress(from: string, to: string): Promise<void>;
  isCompressed(file: string): Promise<boolean>;
}

const { O_APPEND, O_CREAT, O_EXCL, O_NONBLOCK, O_RDWR, O_WRONLY } = constants;
/** How much of a file is read at once to be compressed. */
const COMPRESS_BYTES = 256 * 1024;
/** For folders that are missing: as the usual ones of /var/log. */
const FOLDER_MODE = 0o755;

/** The machine's disk. */
export const realDisk: Disk = {
  async openLog(file, ownership) {
    // A FIFO without a reader would block a thread for ever.
    const flags = O_APPEND | O_CREAT | O_NONBLOCK;
    const handle = await openOrMake(file, flags, ownership.mode);
    try {
      await own(handle, ownership);
      return new RealFile(handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  },
  async facts(file) {
    try {
      return factsOf(await stat(file));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  async resolve(file) {
    try {
      return await realpath(file);
    } catch {
      return file;
    }
  },
  rename,
  async remove(file) {
    await unlink(file).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  },
  list: (folder) => readdir(folder),
  compress,
  async isCompressed(file) {
    const handle = await open(file, "r");
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(3), 0, 3, 0);
      return bytesRead === 3 && buffer[0] === 0x1f && buffer[1] === 0x8b && buffer[2] === 8;
    } finally {
      await handle.close();
    }
  },
};

class RealFile implements OpenFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async facts(): Promise<FileFacts> {
    return factsOf(await this.#handle.stat());
  }

  async endsClean(size: number): Promise<boolean> {
    if (size === 0) return true;
    try {
      const { buffer } = await this.#handle.read(Buffer.alloc(1), 0, 1, size - 1);
      return buffer[0] === 0x0a;
    } catch (error) {
      if (codeOf(error) === "EBADF") return true;
      throw error;
    }
  }

  async append(parts: readonly Buffer[]): Promise<number> {
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) return (await this.#handle.write(only)).bytesWritten;
    return (await this.#handle.writev(parts)).bytesWritten;
  }

  truncate(size: number): Promise<void> {
    return this.#handle.truncate(size);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

async function openOrMake(file: string, flags: number, mode: number): Promise<FileHandle> {
  try {
    return await open(file, flags | O_RDWR, mode);
  } catch (error) {
    // A file that may be written and not read: how it ends is not known then.
    if (codeOf(error) === "EACCES") return open(file, flags | O_WRONLY, mode);
    if (!isMissing(error)) throw error;
  }
  await makeFolder(path.dirname(file));
  return open(file, flags | O_RDWR, mode);
}

/** Sets what the umask took away; a file that was there before and belongs to somebody else stays as it is. */
async function own(handle: FileHandle, { mode, uid, gid }: Ownership): Promise<void> {
  const facts = await handle.stat();
  if (!facts.isFile()) return;
  const isWrong = (uid !== undefined && facts.uid !== uid) || (gid !== undefined && facts.gid !== gid);
  if (isWrong) await handle.chown(uid ?? facts.uid, gid ?? facts.gid);
  if (facts.size === 0 && (facts.mode & 0o777) !== mode) await handle.chmod(mode);
}

async function compress(from: string, to: string): Promise<void> {
  // Loaded by those that compress.
  const { createGzip } = await import("node:zlib");
  const source = await open(from, "r");
  try {
    const { mode, uid, gid, atime, mtime } = await source.stat();
    const target = await open(to, O_WRONLY | O_CREAT | O_EXCL, 0o600);
    try {
      await pipeline(chunksOf(source), createGzip(), async (compressed: AsyncIterable<Buffer>) => {
        for await (const chunk of compressed) await target.appendFile(chunk);
      });
      await target.chmod(mode & 0o777);
      // Only root may give a file away; one's own stays one's own.
      await target.chown(uid, gid).catch(() => {});
      await target.utimes(atime, mtime);
      await target.sync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** A stream of a handle that is closed by others never ends a pipeline on Node 20. */
async function* chunksOf(source: FileHandle): AsyncGenerator<Buffer> {
  for (;;) {
    const { buffer, bytesRead } = await source.read(Buffer.allocUnsafe(COMPRESS_BYTES), 0, COMPRESS_BYTES);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

function factsOf(facts: { dev: number; ino: number; size: number; mtimeMs: number; isFile(): boolean }): FileFacts {
  return {
    id: `${facts.dev}:${facts.ino}`,
    size: facts.size,
    modifiedAt: facts.mtimeMs,
    isFile: facts.isFile(),
  };
}

/** Makes a folder and those above it. Node's own way of that never ends below /proc (Node 20 to 26). */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, FOLDER_MODE);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    const above = path.dirname(folder);
    if (!isMissing(error) || above === folder || (await realDisk.facts(above)) !== undefined) throw error;
    await makeFolder(above);
    await mkdir(folder, FOLDER_MODE);
  }
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

/** The system's code of an error, such as ENOSPC. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
