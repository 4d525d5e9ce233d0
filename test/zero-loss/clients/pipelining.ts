/**
 * Pipelines three requests on a raw socket: at once, or byte by byte. Runs in the test's process.
 *
 * An answer with `Connection: close` says that nothing after it was processed (RFC 9112, 9.6): what such a client has still to
 * send, or was sending, it sends again on its next connection. That excuses no request that the server had whole.
 */
import { type Client, byDeadline, checkEcho, connect, repeat, rest, type Work } from "./client.ts";
import { CutShort } from "./journal.ts";
import { RawAnswers } from "./raw-answers.ts";

const PIPELINED = 3;

/** Writes the three in one packet: each has to be answered, and only the last answer may say `Connection: close`. */
export const pipelining: Client = (work) => pipeline(work, { whole: true, pause: [5, 150] });

/** Writes the three byte by byte. */
export const byteByByte: Client = (work) => pipeline(work, { whole: false, pause: [20, 300] });

async function pipeline(work: Work, { whole, pause }: { whole: boolean; pause: [number, number] }): Promise<void> {
  let answers: RawAnswers | undefined;
  let pid: number | undefined;
  const request = async (): Promise<void> => {
    answers ??= new RawAnswers(connect(work.target));
    const { socket } = answers;
    try {
      const open = await byDeadline(exchange(work, answers, whole), "three pipelined answers");
      pid = open;
      if (open !== undefined) return;
      socket.end();
      answers = undefined;
    } catch (error) {
      socket.destroy();
      answers = undefined;
      pid = undefined;
      throw error;
    }
  };
  await repeat(work, pause, { request, pid: () => pid });
  answers?.socket.destroy();
}

/** Sends three and reads their answers; gives the instance's pid when the connection can go on. */
async function exchange(work: Work, answers: RawAnswers, whole: boolean): Promise<number | undefined> {
  const bodies = Array.from({ length: PIPELINED }, (_, n) => Buffer.from(`pipelined ${n} ${work.random()}`));
  const delayed = Math.floor(work.random() * PIPELINED);
  const requests = bodies.map((body, n) => requestOf(body, n === delayed ? "/echo?delay=10" : "/echo"));
  const sending = new AbortController();
  const sent = whole
    ? Promise.resolve(answers.socket.write(requests.join("")))
    : dribble(work, answers, { requests, stop: sending.signal });
  try {
    for (const [n, body] of bodies.entries()) {
      const answer = await answers.next();
      if (answer === undefined) throw new CutShort(`closed before answer ${n} of ${PIPELINED}`);
      checkEcho(answer.status, answer.body, body);
      if (!answer.close) {
        if (n === PIPELINED - 1) return answer.pid;
        continue;
      }
      if (n < PIPELINED - 1 && whole) throw new CutShort(`Connection: close in answer ${n} of ${PIPELINED}`);
      if (n < PIPELINED - 1) work.journal.retried(work.name);
      // Bytes on their way must not make the end a reset.
      if ((await answers.next()) !== undefined) throw new CutShort("an answer after the last");
      return undefined;
    }
  } finally {
    sending.abort();
    await sent;
  }
  return undefined;
}

function requestOf(body: Buffer, path: string): string {
  return (
    `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\n` +
    `content-length: ${body.length}\r\n\r\n${body.toString("latin1")}`
  );
}

/** Writes byte after byte, each in a packet of its own, and rests now and then in the middle of a request. */
async function dribble(
  work: Work,
  { socket }: RawAnswers,
  { requests, stop }: { requests: readonly string[]; stop: AbortSignal },
): Promise<void> {
  let n = 0;
  for (const byte of requests.join("")) {
    if (stop.aborted || !socket.writable) return;
    socket.write(byte);
    if (++n % 64 === 0) await rest(work, 15 * work.random());
    else await new Promise((resolve) => setImmediate(resolve));
  }
}
