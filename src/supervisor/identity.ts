/** Which user and group the instances run as (--user, --group), and how that is looked up. Used in the supervisor, which stays root. */
import { execFileSync } from "node:child_process";
import { readText, type ReadText } from "../control-groups.ts";
import { ChoirError, quote } from "../errors.ts";
import type { ResolvedOptions } from "../options/table.ts";

/** A user and a group by their numbers. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** What a login as that user sets. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface IdentitySources {
  readonly read: ReadText;
  /** Looks an entry up where the files have none, as in a directory service; undefined when there is none either. */
  readonly getent: (database: "passwd" | "group", key: string) => string | undefined;
  readonly uid: number;
  readonly gid: number;
}

/** Looks the two up; undefined when they ask for no change. Throws ERR_CHOIR_USER for those that are not there, or without root. */
export function resolveIdentity(
  { user, group }: Pick<ResolvedOptions, "user" | "group">,
  sources: IdentitySources = systemSources(),
): Identity | undefined {
  if (user === undefined && group === undefined) return undefined;
  const account = user === undefined ? { uid: sources.uid, environment: {} } : accountOf(user, sources);
  const gid = group === undefined ? account.gid : gidOf(group, sources);
  const { uid, environment } = account;
  if (gid === undefined) {
    throw userError(`--user ${quote(user)} has no entry that says its group`, "Give --group too");
  }
  if (uid === sources.uid && gid === sources.gid) return undefined;
  if (sources.uid !== 0) {
    throw userError(
      `--user and --group need root, and the supervisor runs as uid ${sources.uid}`,
      "Start it as root, or leave both away: the instances then run as the user who starts it",
    );
  }
  return { uid, gid, environment };
}

interface Account {
  readonly uid: number;
  readonly gid?: number;
  readonly environment: Readonly<Record<string, string>>;
}

function accountOf(user: string, sources: IdentitySources): Account {
  const entry = entryOf("passwd", user, sources);
  const [name, , uid, gid, , home] = entry ?? [];
  if (name !== undefined) {
    const environment = { USER: name, LOGNAME: name, HOME: home || "/" };
    return { uid: Number(uid), gid: Number(gid), environment };
  }
  if (isNumber(user)) return { uid: Number(user), environment: { HOME: "/" } };
  throw userError(`--user ${quote(user)} is no user of this machine`, "Create it, for example: useradd --system app");
}

function gidOf(group: string, sources: IdentitySources): number {
  const gid = entryOf("group", group, sources)?.[2];
  if (gid !== undefined) return Number(gid);
  if (isNumber(group)) return Number(group);
  throw userError(
    `--group ${quote(group)} is no group of this machine`,
    "Create it, for example: groupadd --system app",
  );
}

/** The fields of the entry with that name or number (passwd(5), group(5)): in both the number is the third. */
function entryOf(database: "passwd" | "group", key: string, { read, getent }: IdentitySources): string[] | undefined {
  const field = isNumber(key) ? 2 : 0;
  const lines = (read(`/etc/${database}`) ?? "").split("\n");
  const found = lines.map((line) => line.split(":")).find((fields) => fields.length > 2 && fields[field] === key);
  return found ?? getent(database, key)?.trim().split(":");
}

function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}

function userError(message: string, hint: string): ChoirError {
  return new ChoirError("ERR_CHOIR_USER", message, { hint });
}

function systemSources(): IdentitySources {
  return {
    read: readText,
    getent(database, key) {
      // It would be taken for an option.
      if (key.startsWith("-")) return undefined;
      try {
        return execFileSync("getent", [database, key], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
      } catch {
        return undefined;
      }
    },
    uid: process.geteuid?.() ?? -1,
    gid: process.getegid?.() ?? -1,
  };
}
