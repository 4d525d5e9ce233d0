// Folders are looked at where they are, in a temporary one; users are numbers that are passed in.
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  chosenPath,
  controlFolders,
  examineChosenFolder,
  examineFolder,
  makeFolder,
  type PathContext,
  unixPathError,
} from "../../../src/control/paths.ts";

const uid = process.getuid!();
let temp: string;
beforeEach(() => {
  temp = realpathSync(mkdtempSync(path.join(tmpdir(), "choir-paths-")));
});
afterEach(() => rmSync(temp, { recursive: true, force: true }));

function folder(name: string, mode = 0o700): string {
  const made = path.join(temp, name);
  mkdirSync(made);
  chmodSync(made, mode);
  return made;
}

describe("controlFolders", () => {
  const context = (environment: PathContext["environment"], user = uid): PathContext => ({
    environment,
    uid: user,
    temporary: path.join(temp, "tmp"),
    run: path.join(temp, "run"),
  });
  const own = (found: PathContext): string[] =>
    controlFolders(found)
      .filter(({ own }) => own)
      .map(({ path }) => path);

  it("takes systemd's first, then the session's, then the user's own below the temporary one", () => {
    const service = folder("service");
    const session = folder("session");
    const environment = { RUNTIME_DIRECTORY: `${service}:${session}`, XDG_RUNTIME_DIR: session };
    const found = own(context(environment)).filter((path) => !path.endsWith("/run/choir"));
    expect(found).toEqual([service, path.join(session, "choir"), path.join(temp, "tmp", `choir-${uid}`)]);
  });

  it("leaves out what the environment names and another user owns, as after sudo", () => {
    const session = folder("session");
    const found = own(context({ RUNTIME_DIRECTORY: session, XDG_RUNTIME_DIR: session }, uid + 1));
    expect(found).toEqual([path.join(temp, "tmp", `choir-${uid + 1}`)]);
  });

  it.each(["", "relative", "/does/not/exist"])("leaves out a folder that is none: %j", (value) => {
    const found = own(context({ RUNTIME_DIRECTORY: value, XDG_RUNTIME_DIR: value }, uid + 1));
    expect(found).toHaveLength(1);
  });

  it("has the system's folder made by root only, and lets others look into it", () => {
    const system = path.join(temp, "run", "choir");
    const of = (user: number) => controlFolders(context({}, user)).find(({ path }) => path === system);
    expect(of(0)).toMatchObject({ own: true, create: 0o755 });
    expect(of(uid + 1)).toMatchObject({ own: false, create: undefined });
  });
});

describe("examineFolder", () => {
  it("takes a private folder of this user's, which makeFolder makes", () => {
    const made = { path: path.join(temp, "choir"), create: 0o700, private: true, own: true };
    expect(examineFolder(made, uid)).toEqual({ kind: "absent" });
    makeFolder(made);
    expect(statSync(made.path).mode & 0o777).toBe(0o700);
    expect(examineFolder(made, uid)).toEqual({ kind: "fit" });
    makeFolder(made);
  });

  it.each([0o770, 0o701, 0o750])("refuses mode %o for a private one, and says how to mend it", (mode) => {
    const open = folder("open", mode);
    expect(examineFolder({ path: open, private: true }, uid)).toMatchObject({
      kind: "unsafe",
      why: `is open to other users (mode 0${mode.toString(8)})`,
      remedy: expect.stringContaining(`chmod 700 ${open}`),
    });
  });

  it("lets others read a folder that is not private, but not write", () => {
    expect(examineFolder({ path: folder("read", 0o755), private: false }, uid)).toEqual({ kind: "fit" });
    expect(examineFolder({ path: folder("write", 0o775), private: false }, uid)).toMatchObject({ kind: "unsafe" });
  });

  it("refuses another user's, a symbolic link and a file", () => {
    const foreign = folder("foreign");
    expect(examineFolder({ path: foreign, private: true }, uid + 1)).toMatchObject({
      kind: "unsafe",
      why: `belongs to another user (uid ${uid})`,
    });
    const link = path.join(temp, "link");
    symlinkSync(foreign, link);
    expect(examineFolder({ path: link, private: true }, uid)).toMatchObject({ why: "is a symbolic link" });
    const file = path.join(temp, "file");
    writeFileSync(file, "");
    expect(examineFolder({ path: file, private: true }, uid)).toMatchObject({ why: "is no folder" });
  });
});

describe("examineChosenFolder", () => {
  it("refuses what others can write to, and takes /tmp for its sticky bit", () => {
    expect(examineChosenFolder("/tmp", uid)).toEqual({ kind: "fit" });
    expect(examineChosenFolder(folder("open", 0o777), uid)).toMatchObject({ kind: "unsafe" });
    expect(examineChosenFolder(folder("read", 0o755), uid)).toEqual({ kind: "fit" });
    expect(examineChosenFolder(path.join(temp, "none"), uid)).toEqual({ kind: "absent" });
  });
});

it("chosenPath puts the app's socket into a folder, and takes anything else as the socket", () => {
  const inside = folder("inside");
  expect(chosenPath(inside, "app")).toBe(path.join(inside, "app.sock"));
  expect(chosenPath("/none/such/", "app")).toBe("/none/such/app.sock");
  expect(chosenPath("/none/such", "app")).toBe("/none/such");
  expect(chosenPath("./x.sock", "app")).toBe(path.resolve("x.sock"));
});

it("unixPathError tells a path that no socket can have", () => {
  expect(unixPathError("/run/app.sock")).toBeUndefined();
  expect(unixPathError(`/${"é".repeat(60)}`)).toContain("got 121");
});
