/**
 * A map by path of which much may go and come back. A Map of V8 that is full to its limit grows and shrinks again each time
 * that a key is deleted and another one set, which takes as long as all of it does; so keys stay, without a value.
 */
export class PathMap<V extends object | string | true> {
  readonly #values = new Map<string, V | undefined>();

  get(path: string): V | undefined {
    return this.#values.get(path);
  }

  has(path: string): boolean {
    return this.#values.get(path) !== undefined;
  }

  set(path: string, value: V): void {
    this.#values.set(path, value);
  }

  /** Whether it was there. */
  delete(path: string): boolean {
    if (!this.has(path)) return false;
    this.#values.set(path, undefined);
    return true;
  }

  *entries(): Generator<[path: string, value: V]> {
    for (const [path, value] of this.#values) if (value !== undefined) yield [path, value];
  }

  *keys(): Generator<string> {
    for (const [path, value] of this.#values) if (value !== undefined) yield path;
  }
}
