/** What a route may give besides a value, which becomes JSON. Used in the supervisor. */

/** A text of a type of its own. */
export class TextAnswer {
  readonly contentType: string;
  readonly text: string;

  constructor({ contentType, text }: { readonly contentType: string; readonly text: string }) {
    this.contentType = contentType;
    this.text = text;
  }
}
