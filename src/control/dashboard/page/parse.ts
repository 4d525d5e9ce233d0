/** Takes apart what the supervisor sends, piece by piece as the network delivers it. Runs in the browser; pure. */

/** One of the events of a text/event-stream. */
export interface ServerSentEvent {
  readonly name: string;
  readonly data: string;
}

/** Cuts text into lines; what has no line break yet waits for the next piece. */
export class LineCutter {
  #rest = "";

  take(text: string): string[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines;
  }
}

/** Reads server-sent events: `fetch` can send a header with the token, and EventSource cannot. */
export class EventParser {
  readonly #lines = new LineCutter();
  #name = "message";
  #data: string[] = [];

  take(text: string): ServerSentEvent[] {
    return this.#lines.take(text).flatMap((line) => this.#takeLine(line));
  }

  #takeLine(line: string): ServerSentEvent[] {
    if (line === "") return this.#finish();
    const [, field, value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === "event") this.#name = value;
    if (field === "data") this.#data.push(value);
    return [];
  }

  #finish(): ServerSentEvent[] {
    const [name, data] = [this.#name, this.#data];
    this.#name = "message";
    this.#data = [];
    return data.length === 0 ? [] : [{ name, data: data.join("\n") }];
  }
}
