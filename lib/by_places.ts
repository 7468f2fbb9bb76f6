/** What each place of a list gives. A list of a plugin's may have holes, and methods of its own in place of `map`. */
export function byPlaces<T>(list: readonly unknown[], each: (item: unknown) => T): T[] {
  const rows: T[] = [];
  for (let at = 0; at < list.length; at++) rows.push(each(list[at]));
  return rows;
}
