/** Asks the supervisor. Runs in the browser: the token travels in a header, never in a URL that somebody may log. */
import type { Session } from "../access.ts";

/** An answer that is none: its status, and the supervisor's sentence. */
export class RefusedError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Where the token is kept: in this tab, until it is closed. */
const KEY = "choir-token";

export class Api {
  #token: string | undefined;

  constructor() {
    this.#token = takeToken();
  }

  /** Uses another token from now on; undefined forgets it. */
  set token(token: string | undefined) {
    this.#token = token;
    if (token === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  }

  session(): Promise<Session> {
    return this.get("v1/session");
  }

  async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    const response = await this.#fetch(path, { signal: signal ?? null });
    return (await response.json()) as T;
  }

  async post<T>(path: string, body: object): Promise<T> {
    const response = await this.#fetch(path, { method: "POST", body: JSON.stringify(body) });
    return (await response.json()) as T;
  }

  /** Reads an answer piece by piece until it ends; `begun` gets the supervisor's clock, in milliseconds since the epoch. */
  async stream(path: string, handlers: StreamHandlers): Promise<void> {
    const response = await this.#fetch(path, { signal: handlers.signal });
    handlers.begun(Date.parse(response.headers.get("date") ?? "") || Date.now());
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const piece = await reader?.read();
      if (piece === undefined || piece.done) return;
      handlers.text(piece.value);
    }
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers({ "Content-Type": "application/json" });
    if (this.#token !== undefined) headers.set("Authorization", `Bearer ${this.#token}`);
    const response = await fetch(path, { ...init, headers, cache: "no-store", credentials: "omit" });
    if (response.ok) return response;
    const { error } = (await response.json().catch(() => ({}))) as { error?: { message?: string } };
    throw new RefusedError(response.status, error?.message ?? `The supervisor answered ${response.status}`);
  }
}

export interface StreamHandlers {
  readonly signal: AbortSignal;
  begun(serverTime: number): void;
  text(piece: string): void;
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Takes the token out of the URL, so that it is in no history, bookmark or screenshot. */
function takeToken(): string | undefined {
  // As it is written: a form's reading would make a space of "+", which tokens in base64 have.
  const [, given] = /^#(?:.*&)?token=([^&]*)/.exec(location.hash) ?? [];
  if (given !== undefined) {
    sessionStorage.setItem(KEY, unescaped(given));
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(KEY) ?? undefined;
}
