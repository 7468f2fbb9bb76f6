const controls = new RegExp("\x1b\\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f]", "g");

/** A text of others without what a terminal would act upon, and no longer than somebody reads. */
export function plain(text: string): string {
  const clean = text.replace(controls, "");
  return clean.length > 4000 ? `${clean.slice(0, 4000)}...` : clean;
}
