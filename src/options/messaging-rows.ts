/** The rows of the options table that are about messages between machines. A leaf, used where table.ts is. */
import type { Option } from "./table.ts";

const MIB = 1024 * 1024;

/** In the order of --help. */
export const MESSAGING_ROWS = {
  /** Several servers of a NATS cluster are separated by commas. It may hold user and password: hence a secret. */
  pubSubUrl: {
    kind: "string",
    group: "messaging",
    placeholder: "url",
    default: undefined,
    secret: true,
    help: "NATS or Redis that carries messages to the same app on other machines",
    more:
      "`nats://`, `tls://`, `redis://` or `rediss://`, such as `nats://10.0.0.7:4222`; a NATS cluster's servers are separated by commas. " +
      "User and password may stand in it; better give the password in a file. See [messaging-engines.md](messaging-engines.md).",
  },
  pubSubPassword: {
    kind: "string",
    group: "messaging",
    placeholder: "text",
    default: undefined,
    secret: true,
    help: "Password for --pub-sub-url; better given in a file",
    more:
      "On the command line every user of the machine can read it. Better are, in this order: the credential `pub-sub-password` " +
      "in `$CREDENTIALS_DIRECTORY`, `--pub-sub-password-file`, the environment.",
  },
  pubSubPasswordFile: {
    kind: "string",
    group: "messaging",
    placeholder: "file",
    default: undefined,
    help: "File that holds the password for --pub-sub-url",
  },
  pubSubCredentialsFile: {
    kind: "string",
    group: "messaging",
    placeholder: "file",
    default: undefined,
    help: "NATS credentials file (.creds) for --pub-sub-url",
  },
  pubSubCaFile: {
    kind: "string",
    group: "messaging",
    placeholder: "file",
    default: undefined,
    help: "Certificates in PEM form that the server of --pub-sub-url is checked against",
    more: "Without it, the ones that Node.js knows. With `nats://` it makes the connection an encrypted one.",
  },
  pubSubCertificateFile: {
    kind: "string",
    group: "messaging",
    placeholder: "file",
    default: undefined,
    help: "Certificate to show to the server of --pub-sub-url, in PEM form",
  },
  pubSubKeyFile: {
    kind: "string",
    group: "messaging",
    placeholder: "file",
    default: undefined,
    help: "Private key of that certificate, in PEM form and not encrypted",
  },
  /** Two apps with the same prefix are one app to the engine. */
  pubSubPrefix: {
    kind: "string",
    group: "messaging",
    placeholder: "name",
    default: undefined,
    defaultText: "the app's name",
    help: "What the app's names between machines begin with",
    more: "Give staging and production different ones where they share an engine: 1 to 64 letters, digits and `_ . @ -`.",
  },
  pubSubBuffer: {
    kind: "size",
    group: "messaging",
    min: 64 * 1024,
    placeholder: "size",
    default: 16 * MIB,
    help: "How much may wait for the engine of --pub-sub-url before the oldest messages are dropped",
    more: "Only what other machines would get is dropped; the instances of this one are not concerned. Drops are logged and counted.",
  },
} as const satisfies Record<string, Option>;
