/** Which rows and contestants a run is about, by what was asked for and what is installed. */
import type { Request } from "./command-line.ts";
import { toolVersion } from "./machine.ts";
import type { Discipline } from "./rounds.ts";

/** Debian's packages of the tools that rows need. */
const PACKAGES: Readonly<Record<string, string>> = { h2load: "nghttp2-client" };

interface Named {
  readonly name: string;
}

/** Throws a TypeError when something asked for is not there. */
export function checkNames(
  request: Request,
  all: { readonly rows: readonly Named[]; readonly contestants: readonly Named[] },
): void {
  mustKnow(request.only, all.rows, "row");
  mustKnow(request.peers, all.contestants, "contestant");
}

function mustKnow(names: readonly string[] = [], items: readonly Named[], what: string): void {
  const unknown = names.find((name) => items.every((item) => item.name !== name));
  if (unknown === undefined) return;
  throw new TypeError(`There is no ${what} "${unknown}": there are ${items.map(({ name }) => name).join(", ")}`);
}

/** Of a discipline what was asked for. Choir is always in it: the others are compared with it. */
export function select<Setup, Serving>(
  discipline: Discipline<Setup, Serving>,
  { only, peers }: Request,
): Discipline<Setup, Serving> {
  return {
    ...discipline,
    rows: discipline.rows.filter(({ name }) => only?.includes(name) ?? true),
    contestants: discipline.contestants.filter(
      ({ name, variant }) => name === "choir" || variant === true || (peers?.includes(name) ?? true),
    ),
  };
}

/** Why a row cannot be measured on this machine, by row. */
export function unmeasurable(rows: readonly (Named & { readonly tools: readonly string[] })[]): Record<string, string> {
  const missing = new Set(
    [...new Set(rows.flatMap(({ tools }) => tools))].filter((tool) => toolVersion(tool) === undefined),
  );
  const reasons = rows.flatMap(({ name, tools }): [string, string][] => {
    const without = tools.filter((tool) => missing.has(tool));
    if (without.length === 0) return [];
    const packages = without.map((tool) => PACKAGES[tool] ?? tool).join(" ");
    return [[name, `${without.join(" and ")} not installed (apt-get install ${packages})`]];
  });
  return Object.fromEntries(reasons);
}
