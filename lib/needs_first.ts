/**
 * The roots and all that they need, each once and after what it needs itself. Without recursion, which ends at some
 * thousands of levels.
 *
 * @param onCircle told of each way that leads back to where it begins, which is not followed
 */
export function needsFirst<T>(
  roots: Iterable<T>,
  needsOf: (of: T) => Iterable<T>,
  onCircle: (way: readonly T[]) => void = () => {},
): readonly T[] {
  const done = new Set<T>();
  const open = new Map<T, Iterator<T>>();
  const way: T[] = [];
  const enter = (at: T) => {
    if (done.has(at)) return;
    if (open.has(at)) return onCircle(way.slice(way.indexOf(at)));
    open.set(at, needsOf(at)[Symbol.iterator]());
    way.push(at);
  };
  for (const root of roots) {
    enter(root);
    while (way.length > 0) {
      const at = way.at(-1)!;
      const next = open.get(at)!.next();
      if (!next.done) {
        enter(next.value);
        continue;
      }
      way.pop();
      open.delete(at);
      done.add(at);
    }
  }
  return [...done];
}
