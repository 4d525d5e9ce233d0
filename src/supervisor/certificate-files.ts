/** The files of TLS as files: whether they are there, readable and changed. Runs in the supervisor; certificate.ts reads what is in them. */
import { readFile, stat } from "node:fs/promises";
import { ChoirError, describeThrown } from "../errors.ts";
import type { PasswordSource, TlsSources } from "../options/tls-sources.ts";

/** No chain, key or PKCS#12 file is larger, and a wrong path may be that of a disk image. */
const MAX_BYTES = 1024 * 1024;

/** Reads a file that has to be there; throws ERR_CHOIR_CERTIFICATE, naming the option and what is wrong. */
export async function readCertificateFile(flag: string, file: string): Promise<Buffer> {
  const refused = (problem: string, cause?: unknown): ChoirError =>
    new ChoirError("ERR_CHOIR_CERTIFICATE", `${flag} ${JSON.stringify(file)} ${problem}`, { cause });
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw refused("is a directory");
    // A pipe could be read only once, and would hold the start.
    if (!found.isFile()) throw refused("is not a regular file");
    if (found.size > MAX_BYTES) throw refused(`is larger than 1 MiB: that is no certificate, key or password`);
    const content = await readFile(file);
    if (content.length === 0) throw refused("is empty");
    return content;
  } catch (error) {
    throw error instanceof ChoirError ? error : refused(problemOf(error), error);
  }
}

/** The password, without the line break at its end; undefined when there is none. */
export async function readPassword({ flag, value, file, optional }: PasswordSource): Promise<string | undefined> {
  if (value !== undefined || file === undefined) return value;
  if (optional && (await fingerprint(file)) === MISSING) return undefined;
  const content = await readCertificateFile(`${flag}-file`, file);
  return content.toString("utf8").replace(/\r?\n$/, "");
}

const MISSING = "ENOENT";

/** A text that changes with any of the files, links followed: Kubernetes swaps a link to the folder that holds them. */
export async function fingerprintOf(sources: TlsSources): Promise<string> {
  const { certificateFile, keyFile, certificatePassword, keyPassword } = sources;
  const files = [certificateFile, keyFile, certificatePassword.file, keyPassword.file];
  return (await Promise.all(files.map(async (file) => (file === undefined ? "" : fingerprint(file))))).join(" ");
}

async function fingerprint(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(":");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unknown";
  }
}

function problemOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "does not exist";
  if (code === "ENOTDIR") return "does not exist: a part of its path is no directory";
  if (code === "EACCES" || code === "EPERM") return "cannot be read: permission denied";
  return `cannot be read: ${describeThrown(error)}`;
}
