/**
 * `node:http` without what it brings along: an `import` of it reads every one of its exports, and from Node 22 on the getters of
 * `WebSocket` and its like load undici, which costs a process 11 to 17 MB. A leaf, used in both processes.
 */
export const http = process.getBuiltinModule("node:http");
