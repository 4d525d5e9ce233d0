/** The rows of the options table that are about the HTTP server of an instance: TLS and limits. A leaf, used in both processes. */
import type { Option } from "./table.ts";

const SECOND = 1000;
/** Node's timers take no more: 24.8 days. */
const MAX_TIMER = 0x7f_ff_ff_ff;

/** In the order of --help. */
export const SERVER_ROWS = {
  ssl: {
    kind: "boolean",
    group: "tls",
    default: false,
    help: "Serve HTTPS instead of HTTP",
    more: "Needs `--certificate-file`. TLS 1.2 is the oldest version served. See [TLS and HTTP/2](tls.md).",
  },
  http2: {
    kind: "boolean",
    group: "tls",
    default: false,
    help: "Serve HTTP/2 over TLS, and HTTPS to clients that do not speak it",
    more:
      "Includes `--ssl`. An app that cannot speak HTTP/2, an Express app or an `http.Server` of its own, is offered HTTP/1.1 only, " +
      "and the log says so.",
  },
  /** PEM with the whole chain, the server's own certificate first; or PKCS#12. */
  certificateFile: {
    kind: "string",
    group: "tls",
    placeholder: "file",
    default: undefined,
    help: "Certificate with its chain, in PEM or PKCS#12 form",
    more: "A file that also holds the key, as PKCS#12 does and PEM may, needs no `--key-file`.",
  },
  certificatePassword: {
    kind: "string",
    group: "tls",
    placeholder: "text",
    default: undefined,
    secret: true,
    help: "Password of the certificate file; better given in a file",
    more:
      "On the command line every user of the machine can read it. Better are, in this order: the credential `certificate-password` " +
      "in `$CREDENTIALS_DIRECTORY`, `--certificate-password-file`, the environment.",
  },
  certificatePasswordFile: {
    kind: "string",
    group: "tls",
    placeholder: "file",
    default: undefined,
    help: "File that holds the password of the certificate file",
  },
  keyFile: {
    kind: "string",
    group: "tls",
    placeholder: "file",
    default: undefined,
    help: "Private key of the certificate, in PEM form",
  },
  keyPassword: {
    kind: "string",
    group: "tls",
    placeholder: "text",
    default: undefined,
    secret: true,
    help: "Password of an encrypted key; better given in a file",
    more: "As with `--certificate-password`; the credential's name is `key-password`.",
  },
  keyPasswordFile: {
    kind: "string",
    group: "tls",
    placeholder: "file",
    default: undefined,
    help: "File that holds the password of the key",
  },
  keepAliveTimeout: {
    kind: "duration",
    group: "limits",
    max: MAX_TIMER,
    placeholder: "time",
    default: 5 * SECOND,
    help: "How long a connection may idle between two requests; 0s is for ever",
    more:
      "Behind a load balancer it has to be longer than the one there, so that it is never this end that closes first. An HTTP/2 " +
      "connection may idle for 72s.",
  },
  requestTimeout: {
    kind: "duration",
    group: "limits",
    max: MAX_TIMER,
    placeholder: "time",
    default: 300 * SECOND,
    help: "How long a client may take to send a whole request; 0s is for ever",
  },
  headersTimeout: {
    kind: "duration",
    group: "limits",
    max: MAX_TIMER,
    placeholder: "time",
    default: 60 * SECOND,
    help: "How long a client may take to send a request's headers; 0s is for ever",
    more: "Also bounds the TLS handshake. Never longer than `--request-timeout`.",
  },
  maxRequestsPerSocket: {
    kind: "integer",
    group: "limits",
    placeholder: "n",
    default: 0,
    help: "How many requests are answered on one connection; 0 is any number",
  },
  maxHeaderSize: {
    kind: "size",
    group: "limits",
    min: 256,
    max: 1024 ** 3,
    placeholder: "size",
    default: undefined,
    defaultText: "16KiB",
    help: "How large the headers of a request may be",
    more: "The default is that of Node, which `--max-http-header-size` in `NODE_OPTIONS` changes. HTTP/2 has its own limit, 64 KiB.",
  },
} as const satisfies Record<string, Option>;
