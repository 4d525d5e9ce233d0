/**
 * The files of the page, as they are in the package: read when the first of them is asked for, and kept, so that a page and its parts
 * are of one version also while a new one is being installed. Runs in the supervisor.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

export interface Asset {
  readonly contentType: string;
  readonly bytes: Buffer;
  readonly etag: string;
}

/** Where a file is, by the path that it is asked for with. */
type Places = ReadonlyMap<string, string>;

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

const PAGE = fileURLToPath(new URL("page/", import.meta.url));
/** Below it, files have the paths that they have in the package: so their imports find each other. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** What the page shares with the supervisor: pure, and without imports of their own. */
const SHARED = ["describe-event.js", "control/dashboard/sample.js"];

export class Assets {
  #all: Promise<ReadonlyMap<string, Asset>> | undefined;

  /** The file at a path; undefined when the page has none there. */
  async find(pathname: string): Promise<Asset | undefined> {
    this.#all ??= readAll().catch((error: unknown) => {
      // The next one who asks may find them.
      this.#all = undefined;
      throw error;
    });
    return (await this.#all).get(pathname);
  }
}

async function readAll(): Promise<ReadonlyMap<string, Asset>> {
  const entries = [...(await places())].map(async ([pathname, file]) => [pathname, await read(file)] as const);
  return new Map(await Promise.all(entries));
}

async function places(): Promise<Places> {
  const names = (await readdir(PAGE)).filter((name) => path.extname(name) in TYPES);
  const own = [...names.map((name) => path.join(PAGE, name)), ...SHARED.map((name) => path.join(ROOT, name))];
  const uplot = path.dirname(createRequire(import.meta.url).resolve("uplot/package.json"));
  return new Map([
    ["/", path.join(PAGE, "index.html")],
    ...own.map((file) => [`/${path.relative(ROOT, file).replaceAll(path.sep, "/")}`, file] as const),
    ["/uplot.js", path.join(uplot, "dist/uPlot.iife.min.js")],
    ["/uplot.css", path.join(uplot, "dist/uPlot.min.css")],
  ]);
}

async function read(file: string): Promise<Asset> {
  const bytes = await readFile(file);
  const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
  return { contentType: TYPES[path.extname(file)] ?? "application/octet-stream", bytes, etag };
}
