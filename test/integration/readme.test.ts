/** What the README says is so: each of its code blocks is compiled, run and asked, its tables are compared with the code. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { EXIT_MEANINGS } from "../../src/errors.ts";
import { variablesOf } from "../../src/options/environment.ts";
import { defaultOf } from "../../src/options/help.ts";
import { flagOf, OPTION_NAMES, specOf } from "../../src/options/table.ts";
import { codeBlocks, compilePrograms, programBlocks, programFile, readReadme, ROOT } from "../helpers/readme.ts";
import { ask, Running, startRunner, until } from "../helpers/start-runner.ts";

const readme = readReadme();
const programs = programBlocks();
const blocksOf = (language: string): string[] =>
  codeBlocks(readme)
    .filter((block) => block.language === language)
    .map(({ text }) => text);

/** What is asked of each program, once two instances of it are ready. */
const CHECKS: Readonly<Record<string, (url: string, runner: Running) => Promise<void>>> = {
  "main.ts": async (url) => {
    expect((await ask(url)).body).toBe("Hello, production world!");
    expect((await ask(`${url}/hello/Ada`)).body).toBe('{"hello":"Ada"}');
  },
  "runner.ts": async (url) => {
    expect((await ask(url)).body).toBe("open");
    await using help = startRunner(programFile("runner.ts"), { bare: true, args: ["--help"] });
    expect(await help.exit()).toEqual({ code: 0, signal: null });
    for (const fact of ["[default 8080,", "[default 2,", "[default 10s]"]) expect(help.text.join("\n")).toContain(fact);
  },
  "upgrades.ts": async (url, runner) => {
    expect((await ask(`${url}/upgrade/ada`, { method: "POST" })).body).toBe('["ada"]');
    await everywhere(runner, `${url}/upgraded`, '["ada"]');
  },
  "headers.ts": async (url) => {
    for (const answer of [await ask(url), await ask(`${url}/nowhere`)]) {
      expect(answer.headers).toMatchObject({ "x-xsrf-token": "a=b; HttpOnly", "x-content-type-options": "nosniff" });
      expect(answer.headers).not.toHaveProperty("x-frame-options");
    }
  },
  "metadata.ts": async (url) => {
    expect((await ask(url)).body).toMatch(/^This is instance #[01] of 2$/);
    const info = JSON.parse((await ask(`${url}/instance`)).body) as object;
    const section = /## Run-time metadata[\s\S]*?## /.exec(readme)![0];
    for (const field of Object.keys(info)) expect(section, field).toContain(`\`${field}\``);
  },
  "express.ts": async (url, runner) => {
    expect(JSON.parse((await ask(url)).body)).toMatchObject({ visits: 1, answeredBy: expect.any(Number) });
    const answer = JSON.parse((await ask(url)).body) as { visits: number };
    // By another instance the first visit may not have been heard of yet.
    expect([1, 2]).toContain(answer.visits);
    await runner.stop();
    expect(runner.lines.filter((line) => line.msg === "Drained")).toHaveLength(2);
  },
  "hono.ts": async (url) => {
    expect((await ask(url)).body).toBe("Hello from Hono");
  },
  "container.ts": async (url) => {
    expect((await ask(url)).body).toBe("container 1");
  },
  "hooks.ts": async (url, runner) => {
    expect((await ask(url)).body).toBe("42");
    await runner.stop();
    const order = runner.lines.filter((line) => line.instance === 0).map((line) => line.event ?? line.msg);
    expect(order).toEqual(["configured", "instance-ready", "the cache goes", "runs last", "instance-exited"]);
  },
};
const TEST = "greeting.test.ts";

/**
 * Asks each of two instances, while the other one is stopped and cannot take the connection, until it gives the answer. Between two
 * questions the other one runs: what it has published may still be in it when its own answer is read here.
 */
async function everywhere(runner: Running, url: string, body: string): Promise<void> {
  const pids = runner.survivors();
  expect(pids).toHaveLength(2);
  for (const [index, pid] of pids.entries()) {
    const other = pids[1 - index]!;
    await until(async () => (await askAlone(url, other)) === body, `${body} from instance ${pid} at ${url}`);
  }
}

async function askAlone(url: string, other: number): Promise<string> {
  process.kill(other, "SIGSTOP");
  try {
    return (await ask(url)).body;
  } finally {
    process.kill(other, "SIGCONT");
  }
}

beforeAll(() => {
  expect(compilePrograms(programs)).toBe("");
});

describe("programs", () => {
  it("each have a check here", () => {
    expect([...programs.keys()].toSorted()).toEqual([...Object.keys(CHECKS), TEST].toSorted());
  });

  it.each(Object.entries(CHECKS))("%s", async (name, check) => {
    await using runner = startRunner(programFile(name), { instances: 2 });
    const url = await runner.ready(2);
    await check(url, runner);
    expect(runner.stderr).toBe("");
  });

  it(TEST, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--test", programFile(TEST)], { encoding: "utf8" });
    expect(stdout + stderr).toContain("a change reaches the other instance");
    expect(status).toBe(0);
  });

  // Not in the types of the oldest Node.js that we support.
  const runsTypeScript = Boolean((process.features as { readonly typescript?: unknown }).typescript);
  it(`main.ts as it is, where Node.js runs TypeScript (here it ${runsTypeScript ? "does" : "does not"})`, async () => {
    await using runner = startRunner(programFile("main.ts", { source: true }));
    if (runsTypeScript) {
      expect((await ask(await runner.ready(1))).body).toBe("Hello, production world!");
    } else {
      // What the README says of older ones: compile it first.
      expect(await runner.exit()).toMatchObject({ code: 1 });
      expect(runner.stderr).toContain("ERR_UNKNOWN_FILE_EXTENSION");
    }
  });
});

describe("quick start", () => {
  const [install = "", withOptions = "", ...others] = blocksOf("sh");

  it("begins with the two commands of a clone, and starts a file that the build has made", () => {
    expect(install).toBe("npm ci && npm start\n");
    expect(withOptions).toBe("npm start -- -p 8080 -j 4\n");
    // Run by start.test.ts, with files of its own.
    expect(others).toEqual(["npm install ../choir\nnpx choir start server.js -p 3000\n"]);
  });

  it("npm start answers as the README shows", async () => {
    await using runner = npmStart(["-p", "0", "-j", "2", "--log-format", "json"]);
    try {
      await converse(runner);
    } finally {
      // As a terminal does it: npm and the program get it. npm alone would not pass a SIGTERM on.
      process.kill(-runner.pid, "SIGINT");
    }
    await runner.event("stopped", { code: 0 });
  });

  async function converse(runner: Running): Promise<void> {
    const url = await runner.ready(2);
    const dialogue = blocksOf("console").flatMap((text) => [...text.matchAll(/^\$ curl (\S+)\n(.*)\n/gm)]);
    expect(dialogue).toHaveLength(4);
    for (const [, asked = "", answer = ""] of dialogue) {
      const here = asked.replace("http://127.0.0.1:3000", url);
      expect(here).not.toBe(asked);
      if (asked.endsWith("/greeting")) await everywhere(runner, here, answer);
      else expect((await ask(here)).body).toBe(answer);
    }
    // "the one that takes the place of the crashed one knows it too"
    const exited = await runner.event("instance-exited");
    await runner.eventCount("instance-ready", 3);
    await until(async () => {
      const info = JSON.parse((await ask(`${url}/instance`)).body) as { id: number; restarts: number };
      return info.id === exited.instance && info.restarts === 1;
    }, "an answer of the replacement");
    await everywhere(runner, `${url}/greeting`, "Ahoy");
  }
});

describe("examples/express", () => {
  it("is served without a header that it did not ask for, and told of its end", async () => {
    await using runner = startRunner(path.join(ROOT, "dist/examples/express/main.js"), { instances: 2 });
    const answer = await ask(await runner.ready(2));
    expect(JSON.parse(answer.body)).toEqual({ hello: "from Express", instance: expect.any(Number) });
    expect(answer.headers).not.toHaveProperty("x-powered-by");
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
    expect(runner.lines.filter((line) => line.msg === "Drained, closing")).toHaveLength(2);
  });
});

describe("what it says besides", () => {
  it("options: names, defaults and environment are the table's", () => {
    const section = /## Command-line options[\s\S]*?\n## /.exec(readme)![0];
    const rows = [...section.matchAll(/^\| (.*) \| .* \| (\S*) \| `(\w+)` \|$/gm)];
    expect(rows).toHaveLength(8);
    for (const [row, names = "", value, variable] of rows) {
      const name = OPTION_NAMES.find((option) => names.replace("[no-]", "").includes(`\`${flagOf(option)}\``));
      expect(name, row).toBeDefined();
      expect(value, row).toBe(defaultOf(name!));
      expect(variablesOf(name!), row).toContain(variable);
      const { short } = specOf(name!);
      expect(names.includes("`-"), row).toBe(true);
      if (short !== undefined) expect(names, row).toContain(`\`-${short}\``);
    }
  });

  it("exit codes are the table's", () => {
    for (const [code, meaning] of Object.entries(EXIT_MEANINGS)) {
      expect(readme.replaceAll("`", "")).toContain(`| ${code} | ${meaning} |`);
    }
  });

  it("log lines look as they do", async () => {
    const shape = (line: string): string =>
      line
        .replaceAll(/\d+(\.\d+)*/g, "0")
        .replaceAll(/ {2,}/g, " ")
        .replace(/0 (min|s)\b/, "0 ms");
    const options = { bare: true, args: ["-p", "0", "-j", "2", "--log-format"] };
    const hello = path.join(ROOT, "dist/examples/hello/main.js");
    await using pretty = startRunner(hello, { ...options, args: [...options.args, "pretty"] });
    const [starting, ready] = blocksOf("text")[0]!.trimEnd().split("\n");
    await until(() => pretty.text.filter((line) => line.includes("listening")).length === 2, "two instances");
    const printed = pretty.text.map(shape);
    expect(printed).toContain(shape(starting!));
    expect(printed).toContain(shape(ready!));
    await using json = startRunner(hello, { ...options, args: [...options.args, "json"] });
    const event = await json.event("instance-ready");
    const shown = JSON.parse(blocksOf("json")[0]!) as typeof event;
    expect(Object.keys(shown)).toEqual(Object.keys(event));
    expect(shape(shown.msg!)).toBe(shape(event.msg!));
  });

  it("every relative link leads to a file, every anchor to a heading, here and in the other pages", () => {
    const decisions = readdirSync(path.join(ROOT, "docs/decisions")).map((file) => `docs/decisions/${file}`);
    const pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", ...decisions];
    const broken = pages.flatMap((page) => {
      const text = readFileSync(path.join(ROOT, page), "utf8");
      const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\w\- ]/g, "")
          .replaceAll(" ", "-"),
      );
      return [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
        .filter(([, file = "", anchor]) =>
          file === "" ? !anchors.includes(anchor ?? "") : !existsSync(path.join(ROOT, path.dirname(page), file)),
        )
        .map(([link]) => `${page}: ${link}`);
    });
    expect(broken).toEqual([]);
  });
});

/** `npm start` in a process group of its own, with options behind `--`. */
function npmStart(args: readonly string[]): Running {
  const child = spawn("npm", ["start", "--", ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  return new Running(child, mkdtempSync(path.join(tmpdir(), "choir-test-")));
}
