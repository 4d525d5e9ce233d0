// Writes docs/options.md, docs/errors.md and docs/config.schema.json from the tables in dist/src/. With --check it writes nothing, names what is stale
// and exits 1: that is what `npm run check` and CI run.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "../dist/src/cli/version.js";
import { ROUTES } from "../dist/src/control/routes.js";
import { ERRORS, EXIT_MEANINGS } from "../dist/src/errors.js";
import { variablesOf } from "../dist/src/options/environment.js";
import { defaultOf, GROUPS, leftOf } from "../dist/src/options/help.js";
import { OPTION_NAMES, specOf, START_OPTION_NAMES } from "../dist/src/options/table.js";
import { DURATION, SIZE } from "../dist/src/options/units.js";
import { renderOpenApi } from "./openapi.mjs";

const docs = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../docs");
const check = process.argv.includes("--check");
let stale = 0;

/** What a value is in code, by the option's kind. */
const CODE_TYPES = {
  boolean: "boolean",
  string: "string",
  integer: "number",
  duration: "number of milliseconds",
  size: "number of bytes",
  count: 'number or "auto"',
  mode: "number, as 0o660",
  list: "array of strings",
};

const TIME_PATTERN = String.raw`^\d+(\.\d+)? ?(ms|s|m|h|d)$`;
const SIZE_PATTERN = String.raw`^\d+(\.\d+)? ?([kMG]i?)?B$`;

write("options.md", renderOptions());
write("errors.md", renderErrors());
write("openapi.json", renderOpenApi(ROUTES, version()));
write("config.schema.json", renderSchema());
if (stale > 0) process.exitCode = 1;

function write(name, text) {
  const file = path.join(docs, name);
  if (!check) {
    mkdirSync(docs, { recursive: true });
    writeFileSync(file, text);
    return;
  }
  if (read(file) === text) return;
  stale += 1;
  console.error(`docs/${name} is stale: run npm run docs`);
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function renderOptions() {
  const sections = Object.entries(GROUPS).map(([group, title]) => {
    const names = [...START_OPTION_NAMES, ...OPTION_NAMES].filter((name) => specOf(name).group === group);
    const note = group === "start" ? "Of `choir start` and `choir check` only.\n\n" : "";
    return `## ${title}\n\n${note}${names.map(renderOption).join("\n")}`;
  });
  return `${intro("Options", "src/options/table.ts")}
A value is taken from the first of these that has one: the command line, the environment, the configuration file, the options given to \`new Runner\`, the default.
In the environment, an empty value counts as none. A flag or a Runner option with a wrong value is always refused; an environment value
only where it wins. What follows \`--\` on the command line belongs to the app. \`--help\` prints all this in short.

- A **time** is written with its unit (${units(DURATION)}), as \`500ms\` or \`1.5s\`; in code it is a number of milliseconds.
- A **size** is written with its unit (${units(SIZE)}), as \`100MB\`: units without an \`i\` are powers of 1000, those with one powers of 1024; in code it is a number of bytes.
- A **switch** takes no value on the command line; in the environment it is \`true\`, \`1\`, \`yes\` or \`false\`, \`0\`, \`no\`.

${sections.join("\n")}`;
}

function renderOption(name) {
  const spec = specOf(name);
  const bounds = [spec.min, spec.max].map((bound) => (bound === undefined ? "" : String(bound)));
  const rows = [
    ["Environment", variablesOf(name).map(code).join(", or ")],
    [
      "In code",
      `${code(name)}: ${spec.choices?.map((choice) => code(JSON.stringify(choice))).join(" or ") ?? CODE_TYPES[spec.kind]}`,
    ],
    ["Default", code(defaultOf(name) ?? "none")],
    ...(bounds.some((bound) => bound !== "") && spec.kind !== "duration" ? [["Bounds", bounds.join(" to ")]] : []),
  ];
  const more = spec.more === undefined ? "" : `\n${spec.more}\n`;
  return `### \`${leftOf(name).trim()}\`

${spec.help}.
${more}
${rows.map(([label, text]) => `- ${label}: ${text}`).join("\n")}
`;
}

function renderErrors() {
  const codes = Object.entries(ERRORS).map(
    ([name, { exit, about, remedy }]) =>
      `### ${name}\n\n${about}\n\n${remedy}\n\nExit code of the supervisor, when it is ended by this: ${exit}.\n`,
  );
  const exits = Object.entries(EXIT_MEANINGS).map(([exit, meaning]) => `| ${exit} | ${meaning} |`);
  return `${intro("Errors", "src/errors.ts")}
Every error of Choir's is a \`ChoirError\` with a \`code\`, which stays the same between versions; its message may be improved.

## Exit codes

| code | meaning |
|---:|---|
${exits.join("\n")}

## Codes

${codes.join("\n")}`;
}

/** The JSON Schema of a configuration file, for editors. */
function renderSchema() {
  const names = [...START_OPTION_NAMES, ...OPTION_NAMES].filter((name) => name !== "config");
  const headerValues = { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] };
  const properties = {
    $schema: { type: "string" },
    ...Object.fromEntries(names.map((name) => [name, schemaOf(name)])),
    responseHeaders: {
      description: "Headers put on every response unless the handler set that header itself.",
      type: "object",
      additionalProperties: headerValues,
    },
    removeResponseHeaders: {
      description: "Headers taken off every response: values, true for any value, or a list of names.",
      anyOf: [
        { type: "array", items: { type: "string" } },
        { type: "object", additionalProperties: { anyOf: [...headerValues.anyOf, { const: true }] } },
      ],
    },
  };
  const schema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "choir.config.json",
    description: "Generated from src/options/table.ts by npm run docs.",
    type: "object",
    additionalProperties: false,
    properties,
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function schemaOf(name) {
  const { kind, help, choices, min, max, orZero, default: value } = specOf(name);
  const number = {
    type: "integer",
    ...(min !== undefined && { minimum: min }),
    ...(max !== undefined && { maximum: max }),
  };
  const forms = {
    boolean: { type: "boolean" },
    string: choices === undefined ? { type: "string", minLength: 1 } : { enum: choices },
    integer: number,
    duration: { anyOf: [...(orZero ? [{ const: 0 }] : []), number, { type: "string", pattern: TIME_PATTERN }] },
    size: { anyOf: [number, { type: "string", pattern: SIZE_PATTERN }] },
    memory: { anyOf: [number, { type: "string", pattern: `${SIZE_PATTERN}|${String.raw`^\d+(\.\d+)? ?%$`}` }] },
    count: { anyOf: [{ const: "auto" }, number] },
    mode: {
      anyOf: [
        { type: "integer", minimum: 0, maximum: 0o777 },
        { type: "string", pattern: "^(0o?)?[0-7]{3}$" },
      ],
    },
    share: { type: "string", pattern: String.raw`^\d+%?$` },
    list: { type: "array", minItems: 1, items: { type: "string", minLength: 1 } },
  };
  return { description: `${help}.`, ...forms[kind], ...(value !== undefined && { default: value }) };
}

function intro(title, source) {
  return `# ${title}\n\n<!-- Generated from ${source} by npm run docs: change it there. -->\n`;
}

function units({ factors }) {
  return factors.map(([unit]) => code(unit)).join(", ");
}

function code(text) {
  return `\`${text}\``;
}
