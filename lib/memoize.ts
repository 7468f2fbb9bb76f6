/** Shares one promise a key; a failure is forgotten. */
export function memoize<K, V>(map: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  let found = map.get(key);
  if (!found) {
    found = make();
    map.set(key, found);
    found.catch(() => map.delete(key));
  }
  return found;
}

/** Something that is made when it is first asked for, and shared. A failure is told to who waits for it, and forgotten. */
export class Shared<T, A extends readonly unknown[] = []> {
  #made: Promise<T> | undefined;

  constructor(readonly make: (...args: A) => Promise<T>) {}

  /** It; made with these arguments when nobody has asked before. */
  get(...args: A): Promise<T> {
    if (this.#made) return this.#made;
    const made = this.#made = this.make(...args);
    made.catch(() => {
      if (this.#made === made) this.#made = undefined;
    });
    return made;
  }

  /** What is there or on its way: undefined where nobody has asked, or it has failed, or was taken. The next one is made anew. */
  async take(): Promise<T | undefined> {
    const made = this.#made;
    this.#made = undefined;
    return await made?.catch(() => undefined);
  }
}

/** Makes it when it is first asked for. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
