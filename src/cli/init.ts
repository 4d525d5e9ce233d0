/**
 * What the first process of a container has to do, and Node does not: take leave of processes whose parents are gone. As PID 1 the
 * supervisor becomes a shell that does, and starts the supervisor again below it.
 */
import { accessSync, constants } from "node:fs";
import { programArguments, processEnvironment } from "../options/environment.ts";

/** POSIX sh: hands on every signal, waits for whoever ends, and ends with the supervisor's exit code. */
const INIT = `
pid= early=
forward() { if [ -n "$pid" ]; then kill -"$1" "$pid"; else early="$early $1"; fi; }
for signal in HUP INT QUIT TERM USR1 USR2 TTIN TTOU; do trap "forward $signal" "$signal"; done
"$@" <&0 &
pid=$!
for signal in $early; do kill -"$signal" "$pid"; done
while :; do
  wait "$pid"; code=$?
  kill -0 "$pid" 2>/dev/null || break
done
wait "$pid" 2>/dev/null; last=$?
[ "$last" = 127 ] || code=$last
exit "$code"
`;
const SHELL = "/bin/sh";

/** From Node.js 22.15 and 23.11 on. */
type Execve = (file: string, args: readonly string[], environment: NodeJS.ProcessEnv) => never;

/**
 * Does not return in a PID 1 that can have an init; returns why it cannot in another PID 1, and undefined in all other processes.
 * Descriptors above 2 are lost on the way: nothing may have been opened.
 */
export function becomeInit(): string | undefined {
  if (process.pid !== 1) return undefined;
  const environment = processEnvironment();
  const { execPath, execArgv, entry, args } = programArguments();
  const { execve } = process as { execve?: Execve };
  if (execve === undefined) return `Node.js ${process.version} cannot start one`;
  if (environment["LISTEN_FDS"] !== undefined) return "sockets were passed to this very process";
  if (entry === undefined || !isExecutable(SHELL)) return `there is no ${SHELL}`;
  return execve.call(
    process,
    SHELL,
    ["sh", "-c", INIT, "choir-init", execPath, ...execArgv, entry, ...args],
    environment,
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
