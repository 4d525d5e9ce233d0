/** The rows of the options' table that are about the dashboard. Used where table.ts is. */
import type { Option } from "./table.ts";

/** In the order of --help. */
export const DASHBOARD_OPTIONS = {
  dashboard: {
    kind: "boolean",
    group: "metrics",
    default: false,
    help: "Serve a page that shows the app live, on a port of its own",
    more:
      "At `http://<dashboard-address>/`. Without it no further port is open and nothing of it is loaded. " +
      "See [dashboard.md](dashboard.md).",
  },
  /** `host:port`; any other than a loopback address needs a token. */
  dashboardAddress: {
    kind: "string",
    group: "metrics",
    placeholder: "host:port",
    default: "127.0.0.1:9465",
    help: "Where --dashboard listens; an address that others can reach needs a token",
    more:
      "An address and a port, as `0.0.0.0:9465` or `[::1]:9465`; port 0 lets the system choose one, which the log says. On a loopback " +
      "address everybody on this machine can look; on any other nobody can without the token.",
  },
  dashboardToken: {
    kind: "string",
    group: "metrics",
    placeholder: "text",
    default: undefined,
    secret: true,
    help: "Token that the dashboard's buttons need; better given in a file",
    more:
      "At least 16 characters, as `openssl rand -hex 32` makes them. Without one the dashboard only shows. On the command line every user of " +
      "the machine can read it. Better are, in this order: the credential `dashboard-token` in `$CREDENTIALS_DIRECTORY`, " +
      "`--dashboard-token-file`, the environment.",
  },
  dashboardTokenFile: {
    kind: "string",
    group: "metrics",
    placeholder: "file",
    default: undefined,
    help: "File that holds the dashboard's token",
  },
} as const satisfies Record<string, Option>;
