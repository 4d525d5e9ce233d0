/** Something that a test lets happen. */
export class Gate<T = void> {
  open!: (value: T) => void;
  readonly opened: Promise<T> = new Promise((resolve) => (this.open = resolve));
}
