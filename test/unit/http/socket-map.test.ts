import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { SocketMap } from "../../../src/http/socket-map.ts";

describe("a map by socket", () => {
  it("gives what was set, oldest first, and takes out from anywhere", () => {
    const map = new SocketMap<number>();
    const sockets = [0, 1, 2, 3, 4].map(() => new Socket()) as [Socket, Socket, Socket, Socket, Socket];
    sockets.forEach((socket, index) => map.set(socket, index));
    expect(map.values()).toEqual([0, 1, 2, 3, 4]);
    expect(map.get(sockets[3])).toBe(3);
    const left = [2, 0, 4, 1, 3].map((index) => [map.delete(sockets[index] as Socket), map.values(), map.size]);
    expect(left).toEqual([
      [true, [0, 1, 3, 4], 4],
      [true, [1, 3, 4], 3],
      [true, [1, 3], 2],
      [true, [3], 1],
      [true, [], 0],
    ]);
    map.set(sockets[0], 7);
    expect(map.values()).toEqual([7]);
  });

  it("holds each socket once, and what is not there is not taken out", () => {
    const map = new SocketMap<string>();
    const [one, other] = [new Socket(), new Socket()];
    map.set(one, "first");
    map.set(other, "other");
    map.set(one, "again");
    expect([map.values(), map.size]).toEqual([["other", "again"], 2]);
    expect([map.delete(one), map.delete(one), map.delete(new Socket())]).toEqual([true, false, false]);
    expect([map.values(), map.size, map.get(one)]).toEqual([["other"], 1, undefined]);
  });

  it("is one of several that know the same socket", () => {
    const [one, other] = [new SocketMap<number>(), new SocketMap<number>()];
    const socket = new Socket();
    one.set(socket, 1);
    other.set(socket, 2);
    one.delete(socket);
    expect([one.get(socket), other.get(socket)]).toEqual([undefined, 2]);
  });

  it("knows nothing of a request without a socket", () => {
    expect([new SocketMap().get(undefined), new SocketMap().get(null)]).toEqual([undefined, undefined]);
  });

  it("may lose entries while its values are gone through", () => {
    const map = new SocketMap<Socket>();
    for (let n = 0; n < 3; n++) {
      const socket = new Socket();
      map.set(socket, socket);
    }
    for (const socket of map.values()) map.delete(socket);
    expect(map.size).toBe(0);
  });
});
