/** Values from some processes to others, as fast as they go. */
import type { MessageRow } from "../messages.ts";

export interface MessagesOptions {
  readonly publishers: 1 | 3;
  readonly bytes: 100 | 10_000;
}

const SUBSCRIBERS = 3;
/** Of what goes from one publisher to three. */
const BARS = [
  { peer: "ipc", atLeast: 5 },
  { peer: "redis", atLeast: 4 },
  { peer: "nats", atLeast: 2 },
];

export function messages({ publishers, bytes }: MessagesOptions): MessageRow {
  const bars = publishers === 1 && bytes === 100 ? { bars: BARS } : {};
  const size = bytes === 100 ? "100-byte" : "10-KB";
  return {
    name: `messages-${publishers}-${SUBSCRIBERS}-${bytes === 100 ? "small" : "large"}`,
    title: `Messages, ${publishers} → ${SUBSCRIBERS} processes, ${size} values`,
    how: "Published: until the broker has all. Delivered: per subscriber, until the last one has its last. Choir: await publish() for each; the others with 1000 to 2000 on their way (IPC: 100 to 200).",
    metrics: [
      { name: "published", title: "published", unit: "/s", better: "higher", ...bars },
      { name: "delivered", title: "delivered", unit: "/s", better: "higher", ...bars },
    ],
    setup: { publishers, subscribers: SUBSCRIBERS },
    tools: [],
    every: 4,
    warm: true,
    async measure({ participants }, { seconds, note }) {
      const senders = participants.slice(0, publishers);
      const receivers = participants.slice(publishers);
      await Promise.all(receivers.map(({ order }) => order({ do: "forget" })));
      const sent = await Promise.all(senders.map(({ order }) => order({ do: "publish", ms: seconds * 1000, bytes })));
      const expected = sum(sent, "sent");
      const received = await Promise.all(receivers.map(({ order }) => order({ do: "settle", expected })));
      const lost = expected * receivers.length - sum(received, "received");
      if (lost > 0) note(`${((100 * lost) / expected / receivers.length).toFixed(2)} % lost`);
      const tookMs = Math.max(...sent.map((each) => each["tookMs"] ?? 0));
      const start = Math.min(...sent.map((each) => each["startAt"] ?? 0));
      const end = Math.max(...received.map((each) => each["lastAt"] ?? 0));
      return {
        published: expected / (tookMs / 1000),
        delivered: sum(received, "received") / receivers.length / ((end - start) / 1000),
      };
    },
  };
}

function sum(answers: readonly Record<string, number>[], field: string): number {
  return answers.reduce((all, each) => all + (each[field] ?? 0), 0);
}
