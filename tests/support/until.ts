/** Waits until something is so. @throws after a minute */
export async function until(
  holds: () => boolean | Promise<boolean>,
  otherwise = "it does not happen",
): Promise<void> {
  for (const end = Date.now() + 60_000; !await holds();) {
    if (Date.now() > end) throw new Error(otherwise);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
