const controls = new RegExp("\x1b\\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f]", "g");

/** A text of others without what a terminal would act upon, and no longer than somebody reads. */
export function plain(text: string): string {
  const clean = text.replace(controls, "");
  return clean.length > 4000 ? `${clean.slice(0, 4000)}...` : clean;
}

/** A value of so many characters is read by nobody: its start tells which one it is, its end what it ends with. */
const LONG = 300;

/**
 * A message in which values that are very long, quoted or without a space in them, are shortened in their middle. For text
 * that is shown: where secrets are still to be looked for, they must be whole.
 */
export function brief(message: string): string {
  if (message.length <= LONG) return message;
  return message.replace(/"[^"\n]*"|\S+/g, (value) => {
    if (value.length <= LONG) return value;
    const left = `${value.length - 240} characters`;
    return `${value.slice(0, 180).toWellFormed()}… (${left} more) …${value.slice(-60).toWellFormed()}`;
  });
}
