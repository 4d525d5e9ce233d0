/** The routes of messages. Used in the supervisor. */
import { ChoirError, describeThrown, quote } from "../errors.ts";
import { checkPattern, checkTopic } from "../messaging/topics.ts";
import { nothingIn, requestError, type Route } from "./route.ts";

/** A value of 1 MB, and some more for its topic and for JSON that has blanks. */
const MOST_PUBLISHED_BYTES = 2 * 1024 * 1024;

export const MESSAGE_ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/publish",
    about: 'publishes to all instances: `{"topic": "news", "value": 1, "retain": false}`',
    command: "choir publish",
    status: 202,
    lasting: false,
    mostBytes: MOST_PUBLISHED_BYTES,
    takes: [
      { name: "topic", about: "Tokens joined by dots", schema: { type: "string" }, required: true },
      { name: "value", about: "Any JSON", schema: {}, required: true },
      {
        name: "retain",
        about: "Whether it stays as the topic's last value",
        schema: { type: "boolean", default: false },
      },
    ],
    read(body) {
      const { topic, value, retain = false, ...others } = body;
      const name = topicIn(topic, checkTopic);
      if (value === undefined) throw requestError('"value" is missing: what is to be published');
      if (typeof retain !== "boolean") throw requestError(`"retain" must be true or false, got ${quote(retain)}`);
      return nothingIn(others, async ({ messages }) => {
        await messages.publish(name, value, retain).catch((error: unknown) => {
          throw error instanceof ChoirError ? requestError(error.message) : error;
        });
      });
    },
  },
  {
    method: "POST",
    path: "/v1/subscribe",
    about: 'a line for each message of a topic or pattern, as long as the client stays: `{"topic": "news.*"}`',
    command: "choir subscribe",
    status: 200,
    lasting: true,
    gives: ["application/x-ndjson"],
    takes: [{ name: "topic", about: "A topic, or a pattern with * or >", schema: { type: "string" }, required: true }],
    listens({ topic, ...others }) {
      const pattern = topicIn(topic, checkPattern);
      nothingIn(others, () => {});
      return pattern;
    },
    read: (body) => nothingIn(body, () => {}),
  },
];

function topicIn(topic: unknown, check: (topic: string) => void): string {
  try {
    // It says itself of anything else that it must be a string.
    check(topic as string);
    return topic as string;
  } catch (error) {
    throw requestError(describeThrown(error));
  }
}
