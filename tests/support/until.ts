/** Waits until something is so. @throws after a minute */
export async function until(holds: () => boolean, otherwise = "it does not happen"): Promise<void> {
  for (const end = Date.now() + 60_000; !holds();) {
    if (Date.now() > end) throw new Error(otherwise);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
