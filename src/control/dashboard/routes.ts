/** What the dashboard's port answers besides the page: some of the control socket's routes, and the last minutes. Runs in the supervisor. */
import { nothingIn, type Route } from "../route.ts";
import { ROUTES } from "../routes.ts";
import type { HistoryReport } from "./sample.ts";

/** The routes that the page needs. The others stay on the control socket: none of them can be asked for here, whoever asks. */
const SHARED = ["/v1/status", "/v1/events", "/v1/logs", "/v1/restart", "/v1/scale"];

/** Makes the table. */
export function dashboardRoutes(history: { report(): HistoryReport }): readonly Route[] {
  return [
    ...ROUTES.filter(({ path }) => SHARED.includes(path)),
    {
      method: "GET",
      path: "/v1/history",
      about: "samples of the last quarter of an hour, and the last events",
      command: "the dashboard",
      status: 200,
      lasting: false,
      gives: ["application/json"],
      read: (body) => nothingIn(body, () => history.report()),
    },
  ];
}
