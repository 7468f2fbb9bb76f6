/** Keeps the end of a command's output. */
export class OutputTail {
  text = "";

  constructor(readonly limit = 64 * 1024) {}

  add(text: string): void {
    this.text += text;
    if (this.text.length > 2 * this.limit) this.text = this.text.slice(-this.limit);
  }
}
