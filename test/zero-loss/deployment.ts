/** A folder of releases with a link to the current one, as deployment tools lay it out. Runs in the test's process. */
import { mkdirSync, mkdtempSync, realpathSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const choir = new URL("../../dist/src/index.js", import.meta.url).href;
const everything = new URL("apps/configure-everything.mjs", import.meta.url).href;

/** Code that serves, and says which release it is at `/release`. */
export function goodCode(release: string): string {
  return `
import { Runner } from ${JSON.stringify(choir)};
import { configureEverything } from ${JSON.stringify(everything)};
await new Runner("deployed", (app) => {
  configureEverything(app);
  app.get("/release", () => ${JSON.stringify(release)});
}).run();
`;
}

/** Good code that does something first in the supervisor's children, `atImport` or `inConfigure`. */
export function badCode({ atImport = "", inConfigure = "" }: { atImport?: string; inConfigure?: string }): string {
  return `
import { Runner } from ${JSON.stringify(choir)};
import { configureEverything } from ${JSON.stringify(everything)};
${atImport}
await new Runner("deployed", async (app) => {
  configureEverything(app);
  ${inConfigure}
}).run();
`;
}

export class Deployment {
  readonly #folder = realpathSync(mkdtempSync(path.join(tmpdir(), "choir-deployment-")));
  #releases = 0;

  /** What the program is started with. */
  get entry(): string {
    return path.join(this.#folder, "current", "main.mjs");
  }

  /** Writes a release of its own and points the link at it, in one step. */
  release(code: string): void {
    const folder = path.join(this.#folder, `release-${++this.#releases}`);
    mkdirSync(folder);
    writeFileSync(path.join(folder, "main.mjs"), code);
    const link = path.join(this.#folder, "next");
    symlinkSync(folder, link);
    renameSync(link, path.join(this.#folder, "current"));
  }

  /** Writes over the code of the current release. */
  overwrite(code: string): void {
    writeFileSync(this.entry, code);
  }
}
