/** The buttons: restart, scale, and the token that they need. Runs in the browser. */
import type { Session } from "../access.ts";
import type { RestartResult, ScaleResult } from "../../../supervisor/snapshot.ts";
import { type Api, RefusedError } from "./api.ts";
import { byId, setText, show } from "./dom.ts";
import type { PageState } from "./state.ts";
import { count } from "./words.ts";

/** For how long the answer to a button is shown. */
const NOTICE_MS = 8000;

export class Steering {
  readonly #api: Api;
  readonly #unlocked: () => void;
  readonly #restart = byId("restart", HTMLButtonElement);
  readonly #scale = byId("scale", HTMLButtonElement);
  readonly #unlock = byId("unlock", HTMLButtonElement);
  readonly #readOnly = byId("read-only", HTMLElement);
  readonly #notice = byId("notice", HTMLElement);
  readonly #restartDialog = byId("restart-dialog", HTMLDialogElement);
  readonly #scaleDialog = byId("scale-dialog", HTMLDialogElement);
  readonly #count = byId("scale-count", HTMLInputElement);
  readonly #tokenDialog = byId("token-dialog", HTMLDialogElement);
  readonly #token = byId("token-input", HTMLInputElement);
  readonly #wrong = byId("token-wrong", HTMLElement);
  #instances = 1;
  #saying: ReturnType<typeof setTimeout> | undefined;

  /** `unlocked` is called when a token was taken that is right. */
  constructor(api: Api, unlocked: () => void) {
    this.#api = api;
    this.#unlocked = unlocked;
    this.#restart.addEventListener("click", () => this.#restartDialog.showModal());
    this.#scale.addEventListener("click", () => {
      this.#count.value = String(this.#instances);
      this.#scaleDialog.showModal();
      this.#count.select();
    });
    this.#unlock.addEventListener("click", () => this.askForToken());
    // No submit button: Enter in a field presses the first of those.
    for (const cancel of document.querySelectorAll("[data-close]"))
      cancel.addEventListener("click", () => cancel.closest("dialog")?.close());
    whenAnswered(this.#restartDialog, () => void this.#doRestart());
    whenAnswered(this.#scaleDialog, () => void this.#doScale(Number(this.#count.value)));
    byId("token-form", HTMLFormElement).addEventListener("submit", (event) => void this.#tryToken(event));
  }

  /** Shows what this client may do. */
  allow({ change, token }: Session): void {
    show(this.#restart, change);
    show(this.#scale, change);
    show(this.#unlock, !change && token !== "none");
    show(this.#readOnly, token === "none");
    this.#readOnly.title = "Started with --dashboard-token-file, it can restart and scale as well";
  }

  /** Asks for the token; `why` says what was wrong with the last one. */
  askForToken(why = ""): void {
    setText(this.#wrong, why);
    show(this.#wrong, why !== "");
    this.#token.value = "";
    if (!this.#tokenDialog.open) this.#tokenDialog.showModal();
    this.#token.focus();
  }

  render({ snapshot }: PageState): void {
    if (snapshot === undefined) return;
    this.#instances = snapshot.instances;
    for (const name of document.querySelectorAll(".app-name")) setText(name, snapshot.name);
    const what = snapshot.instances === 1 ? "The instance is" : `All ${snapshot.instances} instances are`;
    setText(
      byId("restart-about", HTMLElement),
      `${what} replaced by new ones, one after the other, and no request is lost. If a new one fails, those of now stay.`,
    );
    this.#restart.disabled = snapshot.state === "stopping";
    this.#scale.disabled = snapshot.state === "stopping";
  }

  async #tryToken(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    this.#api.token = this.#token.value.trim();
    try {
      const { token } = await this.#api.session();
      if (token !== "right") throw new Error("This is not the token");
      this.#tokenDialog.close();
      this.#unlocked();
    } catch (error) {
      this.#api.token = undefined;
      this.askForToken(messageOf(error));
    }
  }

  async #doRestart(): Promise<void> {
    try {
      const { outcome } = await this.#api.post<RestartResult>("v1/restart", {});
      this.#say(outcome === "done" ? "Restart done" : "The restart failed");
    } catch (error) {
      // Who waits long may be cut off; the restart goes on, and is shown above.
      this.#say(error instanceof RefusedError ? error.message : "");
    }
  }

  async #doScale(instances: number): Promise<void> {
    try {
      const result = await this.#api.post<ScaleResult>("v1/scale", { instances });
      this.#say(`Scaled to ${count(result.instances, "instance")}`);
    } catch (error) {
      this.#say(`Not scaled: ${messageOf(error)}`);
    }
  }

  #say(text: string): void {
    // In this order: what is hidden is not read out.
    show(this.#notice, text !== "");
    setText(this.#notice, text);
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => show(this.#notice, false), NOTICE_MS);
  }
}

/** Calls back when a dialog was closed by the button that says yes. */
function whenAnswered(dialog: HTMLDialogElement, yes: () => void): void {
  dialog.addEventListener("close", () => {
    const { returnValue } = dialog;
    dialog.returnValue = "";
    if (returnValue === "yes") yes();
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
