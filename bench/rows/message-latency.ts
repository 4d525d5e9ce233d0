/** A value there and another one back. */
import type { MessageRow } from "../messages.ts";

export const MESSAGE_LATENCY: MessageRow = {
  name: "message-latency",
  title: "Messages, round trip",
  how: "One process publishes, another answers on a second topic, one value at a time, nothing else on the way.",
  metrics: [
    { name: "p50", title: "p50", unit: "ms", better: "lower" },
    { name: "p99", title: "p99", unit: "ms", better: "lower" },
  ],
  setup: { publishers: 1, subscribers: 3 },
  tools: [],
  every: 4,
  warm: true,
  async measure({ participants }, { seconds }) {
    const [first] = participants;
    const { p50 = Number.NaN, p99 = Number.NaN } =
      (await first?.order({ do: "ping", ms: seconds * 1000, to: 1 })) ?? {};
    return { p50, p99 };
  },
};
