/** Characters that are kept at least. */
const LIMIT = 64 * 1024;

/** Keeps the end of a command's output. */
export class OutputTail {
  text = "";

  add(text: string): void {
    this.text += text;
    if (this.text.length > 2 * LIMIT) this.text = this.text.slice(-LIMIT);
  }
}
