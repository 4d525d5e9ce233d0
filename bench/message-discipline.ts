/** All that carry messages, and what they are measured by. */
import { messageContestants } from "./contestants/messages.ts";
import type { MessageServing, MessageSetup } from "./messages.ts";
import type { Discipline } from "./rounds.ts";
import { MESSAGE_LATENCY } from "./rows/message-latency.ts";
import { messages } from "./rows/messages.ts";
import type { Surroundings } from "./serving.ts";

export function messageDiscipline(surroundings: Surroundings): Discipline<MessageSetup, MessageServing> {
  return {
    contestants: messageContestants(surroundings),
    rows: [
      messages({ publishers: 1, bytes: 100 }),
      messages({ publishers: 1, bytes: 10_000 }),
      MESSAGE_LATENCY,
      messages({ publishers: 3, bytes: 100 }),
      messages({ publishers: 3, bytes: 10_000 }),
    ],
    async warmUp({ participants }, seconds) {
      const [first, ...others] = participants;
      const sent = await first?.order({ do: "publish", ms: seconds * 500, bytes: 100 });
      await Promise.all(others.map(({ order }) => order({ do: "settle", expected: sent?.["sent"] ?? 0 })));
    },
  };
}
