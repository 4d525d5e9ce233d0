/** The package's version, read where it is kept. */
import { readFileSync } from "node:fs";

/** Choir's version, as in package.json. */
export function version(): string {
  // From dist/src/cli/ up to the package's root.
  const manifest = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return manifest.version;
}
