/** What a file's text says about what it is going to do. Pure; runs in an instance of `choir start`. */

export interface Source {
  /** It calls `process.send("ready")`. */
  readonly sendsReady: boolean;
  /** It mentions `listen(`. */
  readonly listens: boolean;
  /** Whether it calls a function of that name, or hands it to something that does. */
  calls(name: string): boolean;
}

/** Reads a source text: comments do not count. */
export function scanSource(text: string): Source {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|[^:\\])\/\/.*$/gm, "$1");
  return {
    sendsReady: /process\s*\.\s*send\s*(?:\?\.|!)?\s*\(\s*(["'`])ready\1/.test(code),
    listens: /\blisten\s*\(/.test(code),
    calls: (name) => isIdentifier(name) && callOf(name).test(code),
  };
}

function isIdentifier(name: string): boolean {
  return /^[\w$]+$/.test(name) && name !== "default";
}

/** `start()`, but not `function start()` or `server.start()`; `.then(start)` and `on("open", start)`. */
function callOf(name: string): RegExp {
  const escaped = name.replaceAll("$", String.raw`\$`);
  const called = String.raw`(?<![\w$.]|\bfunction\s*\*?\s*)${escaped}\s*\(`;
  const handedOn = String.raw`[(,]\s*${escaped}\s*[,)]`;
  return new RegExp(`${called}|${handedOn}`);
}
