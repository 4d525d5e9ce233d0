/**
 * Keeps what instances serve TLS with: gives it to each of them by IPC, takes up a changed certificate, and makes new session ticket
 * keys every day. Runs in the supervisor; the instance's side is src/instance/tls-inbox.ts.
 */
import { randomBytes } from "node:crypto";
import type { Clock, Timer } from "../clock.ts";
import { describeThrown } from "../errors.ts";
import type { ChoirEvent } from "../events.ts";
import type { TlsSources } from "../options/tls-sources.ts";
import type { TlsMaterial } from "../protocol.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { fingerprintOf } from "./certificate-files.ts";
import type { Child } from "./child.ts";

/** How often the files are looked at, in milliseconds. */
export const POLL_MS = 2000;
/** How often ticket keys are replaced: who steals one can read no older sessions. */
export const ROTATION_MS = 86_400_000;
const TICKET_KEY_BYTES = 48;
/** When the end of a certificate is warned of, unless its whole life is short. */
const WARN_MS = 14 * 86_400_000;

export interface TlsKeeperContext {
  readonly clock: Clock;
  readonly emit: (event: ChoirEvent) => void;
}

/** What is needed of an instance's process. */
export type TlsRecipient = Pick<Child, "send" | "onMessage" | "exited">;

/** Reads and checks the certificate; throws what readCertificate throws. */
export async function openTls(sources: TlsSources, context: TlsKeeperContext): Promise<TlsKeeper> {
  // Before the reading: what changes meanwhile is seen by the first look.
  const fingerprint = await fingerprintOf(sources);
  return new TlsKeeper(sources, { certificate: await readCertificate(sources), fingerprint }, context);
}

export class TlsKeeper {
  readonly #sources: TlsSources;
  readonly #context: TlsKeeperContext;
  readonly #recipients = new Set<TlsRecipient>();
  #certificate: Certificate;
  #ticketKeys = newTicketKeys();
  /** Of the files when they were read last. */
  #fingerprint: string;
  /** The files as they are could not be used when they were read first. */
  #doubtful = false;
  #checking: Promise<void> | undefined;
  #http1Only = false;
  readonly #timers = new Map<"poll" | "rotation", Timer>();

  constructor(sources: TlsSources, read: { certificate: Certificate; fingerprint: string }, context: TlsKeeperContext) {
    this.#sources = sources;
    this.#certificate = read.certificate;
    this.#fingerprint = read.fingerprint;
    this.#context = context;
  }

  /** Says what is served with, and begins to look for changes. */
  start(): void {
    this.#say();
    this.#poll();
    this.#rotateLater();
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#recipients.clear();
  }

  /** Gives an instance what it serves with, now and whenever it changes. */
  attach(child: TlsRecipient): void {
    this.#recipients.add(child);
    void child.exited.then(() => this.#recipients.delete(child));
    child.onMessage((message) => {
      if (message.choir !== "http1-only" || typeof message.app !== "string" || this.#http1Only) return;
      this.#http1Only = true;
      this.#context.emit({ event: "http1-only", app: message.app });
    });
    child.send({ choir: "tls", material: this.#material });
  }

  /** Looks at the files now; resolves when instances have been sent what is new in them. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  get #material(): TlsMaterial {
    return { identity: this.#certificate.identity, ticketKeys: this.#ticketKeys };
  }

  async #check(): Promise<void> {
    const fingerprint = await fingerprintOf(this.#sources);
    const unchanged = fingerprint === this.#fingerprint;
    if (unchanged && !this.#doubtful) return;
    this.#fingerprint = fingerprint;
    let certificate: Certificate;
    try {
      certificate = await readCertificate(this.#sources);
    } catch (error) {
      this.#refuse(error, unchanged);
      return;
    }
    this.#doubtful = false;
    if (certificate.id === this.#certificate.id) return;
    this.#certificate = certificate;
    this.#broadcast();
    this.#say();
  }

  /** Certificate and key are two files, written one after the other: only what is still wrong at the next look is said to be. */
  #refuse(error: unknown, seenBefore: boolean): void {
    this.#doubtful = !seenBefore;
    if (!seenBefore) return;
    this.#context.emit({
      event: "certificate-refused",
      file: this.#sources.certificateFile,
      error: describeThrown(error),
    });
  }

  #poll(): void {
    const again = (): void => {
      if (this.#timers.has("poll")) this.#poll();
    };
    this.#timers.set(
      "poll",
      this.#context.clock.after(POLL_MS, () => void this.check().then(again, again)),
    );
  }

  #rotateLater(): void {
    this.#timers.set(
      "rotation",
      this.#context.clock.after(ROTATION_MS, () => {
        this.#ticketKeys = newTicketKeys();
        this.#broadcast();
        this.#warn();
        this.#rotateLater();
      }),
    );
  }

  #broadcast(): void {
    for (const child of this.#recipients) child.send({ choir: "tls", material: this.#material });
  }

  #say(): void {
    const { file, names, serial, validTo } = this.#certificate;
    this.#context.emit({ event: "certificate-loaded", file, names, serial, validTo: validTo.toISOString() });
    this.#warn();
  }

  #warn(): void {
    const { file, validFrom, validTo } = this.#certificate;
    const state = stateOf(this.#certificate, this.#context.clock.date());
    if (state === "valid") return;
    const dates = { validFrom: validFrom.toISOString(), validTo: validTo.toISOString() };
    this.#context.emit({ event: "certificate-expiring", file, ...dates, state });
  }
}

function stateOf({ validFrom, validTo }: Certificate, now: number): "valid" | "not-yet-valid" | "expiring" | "expired" {
  if (now < validFrom.getTime()) return "not-yet-valid";
  if (now >= validTo.getTime()) return "expired";
  // One that lives for six days is renewed after four.
  const warnMs = Math.min(WARN_MS, (validTo.getTime() - validFrom.getTime()) / 3);
  return validTo.getTime() - now < warnMs ? "expiring" : "valid";
}

function newTicketKeys(): string {
  return randomBytes(TICKET_KEY_BYTES).toString("base64");
}
