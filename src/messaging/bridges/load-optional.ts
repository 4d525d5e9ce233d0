/** Loads an engine's client, which is no dependency of Choir's: who uses it installs it. Runs in the supervisor. */
import { ChoirError } from "../../errors.ts";

/** What each engine needs. */
const PACKAGES = {
  nats: "@nats-io/transport-node @nats-io/jetstream @nats-io/kv",
  redis: "redis",
} as const;

/** Rejects with ERR_CHOIR_ENGINE_PACKAGE that says what to install. */
export async function loadOptional<T>(engine: keyof typeof PACKAGES, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    const problem = code === "ERR_MODULE_NOT_FOUND" ? "is not installed" : "cannot be loaded";
    throw new ChoirError(
      "ERR_CHOIR_ENGINE_PACKAGE",
      `--pub-sub-url needs the client of ${NAMES[engine]}, which ${problem}`,
      {
        cause,
        hint: `Install it beside the app: npm install ${PACKAGES[engine]}`,
      },
    );
  }
}

const NAMES = { nats: "NATS", redis: "Redis" } as const;
