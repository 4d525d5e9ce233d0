/** Which instances get which sockets, and when these are given back. */
import { beforeEach, describe, expect, it } from "vitest";
import type { ChoirEvent } from "../../../src/events.ts";
import type { SocketWish, ToInstance, ToSupervisor } from "../../../src/protocol.ts";
import type { Child, ChildExit } from "../../../src/supervisor/child.ts";
import { SocketDesk, type SocketDeskSetup } from "../../../src/supervisor/socket-desk.ts";
import type { BoundSocket, SocketOptions } from "../../../src/supervisor/sockets.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";

/** What the kernel would have. */
interface FakeSocket extends BoundSocket {
  closed: boolean;
  lost: boolean;
}

let clock: FakeClock;
let bound: FakeSocket[];
let nextPort: number;
let events: ChoirEvent[];

beforeEach(() => {
  clock = new FakeClock();
  bound = [];
  events = [];
  nextPort = 40_000;
});

const open = (): string[] => bound.filter(({ closed }) => !closed).map(({ address }) => address);

function bind({ address: [host = ""], port, ipv6Only }: SocketOptions): Promise<readonly BoundSocket[]> {
  const isUnix = host.startsWith("unix:");
  const wanted = port === 0 && !isUnix ? nextPort++ : port;
  const address = isUnix ? host : `${host === "::" ? "[::]" : host}:${wanted}`;
  if (!isUnix && open().some((other) => other.endsWith(`:${wanted}`) && ipv6Only !== true)) {
    return Promise.reject(Object.assign(new Error("in use"), { cause: { code: "EADDRINUSE" } }));
  }
  const socket: FakeSocket = {
    fd: bound.length,
    handle: {} as BoundSocket["handle"],
    address,
    closed: false,
    lost: false,
    isThere: () => !socket.lost,
    close: () => (socket.closed = true),
  };
  bound.push(socket);
  return Promise.resolve([socket]);
}

function makeDesk(setup: Partial<SocketDeskSetup> = {}): SocketDesk {
  const options = { address: ["127.0.0.1"], port: 3000, socketMode: 0o660, bindRetry: 0 };
  const emit = (event: ChoirEvent): void => void events.push(event);
  const usual = { addressGiven: false, scheme: "http", isPrivate: false, passed: [], emit };
  return new SocketDesk({ options, clock, bind, ...usual, ...setup });
}

/** An instance, as the desk sees it. */
class FakeInstance {
  readonly answers: ToInstance[] = [];
  #listen: (message: ToSupervisor) => void = () => {};
  #exit: (exit: ChildExit) => void = () => {};
  #asks = 0;

  constructor(desk: SocketDesk, generation = 0) {
    const exited = new Promise<ChildExit>((resolve) => (this.#exit = resolve));
    const child: Partial<Child> = {
      exited,
      onMessage: (listener) => (this.#listen = listener),
      send: (message) => void this.answers.push(message),
    };
    desk.attach(child as Child, generation);
  }

  /** Asks, and resolves with the address or the error. */
  async listen(wish: Partial<SocketWish>): Promise<string> {
    const before = this.answers.length;
    const whole = { kind: "tcp", host: null, port: 0, ordinal: 0, ipv6Only: false, ...wish } as SocketWish;
    this.#asks += 1;
    this.#listen({ choir: "listen", ask: this.#asks, wish: whole, scheme: "http" });
    while (this.answers.length === before) await Promise.resolve();
    const answer = this.answers.at(-1)!;
    return answer.choir === "socket" ? answer.address : answer.choir === "socket-refused" ? answer.error.system : "?";
  }

  close(ask = this.#asks): void {
    this.#listen({ choir: "unlisten", ask });
  }

  ready(): void {
    this.#listen({ choir: "ready" });
  }

  async end(): Promise<void> {
    this.#exit({ code: 0, signal: null });
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}

describe("an address", () => {
  it("is bound once for all instances that ask for it, and several of the free ports are told apart", async () => {
    const desk = makeDesk();
    const [one, other] = [new FakeInstance(desk), new FakeInstance(desk)];
    expect(await one.listen({ port: 8080 })).toBe("[::]:8080");
    expect(await other.listen({ port: 8080 })).toBe("[::]:8080");
    expect(await one.listen({ ordinal: 0 })).toBe("[::]:40000");
    expect(await one.listen({ ordinal: 1 })).toBe("[::]:40001");
    expect(await other.listen({ ordinal: 0 })).toBe("[::]:40000");
    expect(desk.urls).toEqual(["http://[::]:8080", "http://[::]:40000", "http://[::]:40001"]);
  });

  it("that was found free, and then named, is the same", async () => {
    const desk = makeDesk();
    const [one, other] = [new FakeInstance(desk), new FakeInstance(desk)];
    expect(await one.listen({ host: "127.0.0.1" })).toBe("127.0.0.1:40000");
    one.close();
    expect(await one.listen({ host: "127.0.0.1", port: 40_000 })).toBe("127.0.0.1:40000");
    expect(await other.listen({ host: "127.0.0.1" })).toBe("127.0.0.1:40000");
    other.close();
    expect(await other.listen({ host: "127.0.0.1", port: 40_000 })).toBe("127.0.0.1:40000");
    expect(bound).toHaveLength(1);
  });

  it("of a file that the app has removed is bound anew", async () => {
    const desk = makeDesk();
    const [one, other] = [new FakeInstance(desk), new FakeInstance(desk)];
    await one.listen({ kind: "unix", path: "/run/app.sock" });
    bound[0]!.lost = true;
    await other.listen({ kind: "unix", path: "/run/app.sock" });
    expect(bound).toHaveLength(2);
    expect(open()).toEqual(["unix:/run/app.sock"]);
  });
});

describe("a socket that the app closes", () => {
  it("is given back a moment after the last instance has closed it", async () => {
    const desk = makeDesk();
    const [one, other] = [new FakeInstance(desk), new FakeInstance(desk)];
    await one.listen({ port: 8080 });
    await other.listen({ port: 8080 });
    one.close();
    clock.advance(60_000);
    expect(open()).toEqual(["[::]:8080"]);
    other.close();
    expect(desk.urls).toEqual([]);
    expect(open()).toEqual(["[::]:8080"]);
    clock.advance(60_000);
    expect(open()).toEqual([]);
  });

  it("is kept for one that listens again at once", async () => {
    const instance = new FakeInstance(makeDesk());
    await instance.listen({ port: 8080 });
    instance.close();
    await instance.listen({ port: 8080 });
    clock.advance(60_000);
    expect(open()).toEqual(["[::]:8080"]);
    // The question before has been closed already.
    instance.close(1);
    clock.advance(60_000);
    expect(open()).toEqual(["[::]:8080"]);
  });

  it("makes way at once for another address with its port", async () => {
    const instance = new FakeInstance(makeDesk());
    await instance.listen({ port: 8080 });
    expect(await instance.listen({ port: 8080, host: "127.0.0.1" })).toBe("EADDRINUSE");
    instance.close(1);
    expect(await instance.listen({ port: 8080, host: "127.0.0.1" })).toBe("127.0.0.1:8080");
    expect(open()).toEqual(["127.0.0.1:8080"]);
  });

  it("is never given back when it is the service manager's", async () => {
    const socket = (await bind({ address: ["0.0.0.0"], port: 80 } as unknown as SocketOptions))[0]!;
    const desk = makeDesk({ passed: [socket] });
    const instance = new FakeInstance(desk);
    expect(await instance.listen({ kind: "default" })).toBe("0.0.0.0:80");
    instance.close();
    clock.advance(60_000);
    const next = new FakeInstance(desk, 1);
    next.ready();
    await instance.end();
    expect(open()).toEqual(["0.0.0.0:80"]);
  });
});

describe("a socket of the service manager", () => {
  it("is used where it fits, and named when the app listens elsewhere", async () => {
    const passed = await Promise.all(
      [80, 81].map(async (port) => (await bind({ address: ["0.0.0.0"], port } as unknown as SocketOptions))[0]!),
    );
    const instance = new FakeInstance(makeDesk({ passed }));
    expect(await instance.listen({ port: 80 })).toBe("0.0.0.0:80");
    expect(await instance.listen({ port: 3000 })).toBe("[::]:3000");
    instance.ready();
    instance.ready();
    expect(events).toEqual([
      { event: "sockets-unused", addresses: ["0.0.0.0:81"], urls: ["http://0.0.0.0:80", "http://[::]:3000"] },
    ]);
  });
});

describe("a socket whose instances have ended", () => {
  it("is kept when they crashed, and given back when newer code serves without it", async () => {
    const desk = makeDesk();
    const [one, other] = [new FakeInstance(desk), new FakeInstance(desk)];
    await one.listen({ port: 8080 });
    await other.listen({ port: 8080 });
    one.ready();
    other.ready();
    await one.end();
    await other.end();
    expect(open()).toEqual(["[::]:8080"]);

    const again = new FakeInstance(desk);
    await again.listen({ port: 8080 });
    again.ready();
    const newer = new FakeInstance(desk, 1);
    newer.ready();
    expect(open()).toEqual(["[::]:8080"]);
    await again.end();
    expect(open()).toEqual([]);
  });

  it("is kept when newer code was ready and is taken back", async () => {
    const desk = makeDesk();
    const old = new FakeInstance(desk);
    await old.listen({ port: 8080 });
    old.ready();
    const newer = new FakeInstance(desk, 1);
    newer.ready();
    await newer.end();
    await old.end();
    expect(open()).toEqual(["[::]:8080"]);
  });
});
