// --user and --group: what the numbers are, and who may ask for them.
import { describe, expect, it } from "vitest";
import { ChoirError } from "../../../src/errors.ts";
import { type Identity, type IdentitySources, resolveIdentity } from "../../../src/supervisor/identity.ts";

const FILES: Readonly<Record<string, string>> = {
  "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:990:991:App:/srv/app:/bin/false\n",
  "/etc/group": "root:x:0:\napp:x:991:\nwww:x:33:app\n",
};

const ROOT: IdentitySources = {
  read: (file) => FILES[file],
  getent: (database, key) => (database === "passwd" && key === "ldap" ? "ldap:*:5000:5001:::/bin/sh\n" : undefined),
  uid: 0,
  gid: 0,
};

const APP = { USER: "app", LOGNAME: "app", HOME: "/srv/app" };

describe("resolveIdentity", () => {
  it.each<[string, string | undefined, string | undefined, Identity | undefined]>([
    ["nobody is asked for", undefined, undefined, undefined],
    ["a user has its own group", "app", undefined, { uid: 990, gid: 991, environment: APP }],
    ["a user by its number", "990", undefined, { uid: 990, gid: 991, environment: APP }],
    ["a user and a group", "app", "www", { uid: 990, gid: 33, environment: APP }],
    ["numbers without an entry", "1234", "1235", { uid: 1234, gid: 1235, environment: { HOME: "/" } }],
    ["a group alone", undefined, "www", { uid: 0, gid: 33, environment: {} }],
    [
      "a user of a directory service",
      "ldap",
      undefined,
      { uid: 5000, gid: 5001, environment: { USER: "ldap", LOGNAME: "ldap", HOME: "/" } },
    ],
    ["who it is already", "root", "root", undefined],
  ])("%s", (_, user, group, expected) => {
    expect(resolveIdentity({ user, group }, ROOT)).toEqual(expected);
  });

  it("asks nothing of those that are who they shall be", () => {
    expect(resolveIdentity({ user: "app", group: undefined }, { ...ROOT, uid: 990, gid: 991 })).toBeUndefined();
  });

  it.each<[string | undefined, string | undefined, number, RegExp]>([
    ["nope", undefined, 0, /--user "nope" is no user/],
    ["app", "nope", 0, /--group "nope" is no group/],
    ["1234", undefined, 0, /--user "1234" has no entry that says its group/],
    ["app", undefined, 1000, /need root, and the supervisor runs as uid 1000/],
    ["-h", undefined, 0, /is no user/],
    ["", undefined, 0, /is no user/],
  ])("refuses %j, %j as uid %i", (user, group, uid, message) => {
    const act = (): unknown => resolveIdentity({ user, group }, { ...ROOT, uid });
    expect(act).toThrow(message);
    expect(act).toThrow(ChoirError);
  });
});
