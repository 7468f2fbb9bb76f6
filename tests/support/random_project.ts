/** Random projects that deliver a history of tests/support/random_history.ts in every way. */
import { type Dice, NAMES, randomPath } from "./random_history.ts";

/** A dappfile, and what its dimgs promise. */
export interface RandomProject {
  readonly dappfile: string;
  /** Dimgs whose images are the same bytes whatever was built before. */
  readonly exact: ReadonlySet<string>;
  readonly names: readonly string[];
  /** Environment of its builds. */
  readonly env: Readonly<Record<string, string>>;
}

/** Dimgs with names of letters, of which some import from an artifact. Commands are those of the fake builder. */
export function randomProject(dice: Dice, dimgs: number): RandomProject {
  const names = Array.from({ length: dimgs }, (_, i) => "abcdefghijklmnop"[i]!);
  const documents = names.map((name) => dimg(dice, name));
  const artifact = [
    "artifact: files",
    "from: scratch",
    `git: [{ add: /one, to: /f${dice.chance(0.5) ? `, owner: ${1 + dice.below(3)}` : ""} }]`,
    ...(dice.chance(0.5) ? ["shell: { install: write f/made 1, installCacheVersion: 1 }"] : []),
  ].join("\n");
  return {
    dappfile: [artifact, ...documents.map(({ text }) => text)].join("\n---\n") + "\n",
    exact: new Set(documents.filter(({ exact }) => exact).map(({ name }) => name)),
    names,
    env: dice.chance(0.5) ? { SOURCE_DATE_EPOCH: `${1_500_000_000 + dice.below(1000)}` } : {},
  };
}

function dimg(
  dice: Dice,
  name: string,
): { readonly name: string; readonly text: string; readonly exact: boolean } {
  const all = dice.chance(0.35);
  const whole = !all && dice.chance(0.5);
  const patterns = () => JSON.stringify([...NAMES, "**/own", "*/b", "keep"].filter(() => dice.chance(0.3)));
  const dependencies = () => {
    const rows = ["install", "setup"].map((stage) => `${stage}: ${patterns()}`);
    if (all && dice.chance(0.7)) rows.push("visible: all");
    return `stageDependencies: { ${rows.join(", ")} }`;
  };
  const owner = () => dice.chance(0.3) ? `, owner: ${1 + dice.below(3)}, group: ${4 + dice.below(2)}` : "";
  const entry = (add: string, to: string) => `  - { add: ${add}, to: ${to}, ${dependencies()}${owner()} }`;
  const second = dice.pick([
    "/app/b",
    "/alias/x",
    "/srv",
    "/app/lnk",
    "/app/b/lnk/deep",
    "/srv/a/b/c",
    undefined,
  ]);
  const third = dice.pick(["/sub", "/app/sub", "/srv/sub", "/alias/sub", undefined, undefined]);
  const command = () =>
    dice.pick([
      ...[
        "write made/x 1",
        "link made/dir ../app",
        "link out made",
        "write made/y 2",
        "link made/up /app/real",
      ],
      ...[
        `write app/${randomPath(dice)}/w 3`,
        `write app/w${dice.below(3)} 4`,
        `link app/v${dice.below(2)} b`,
      ],
    ]);
  const commands = () => JSON.stringify(Array.from({ length: 1 + dice.below(2) }, command));
  const imported = dice.chance(0.4);
  const place = `${dice.pick(["before", "after"])}: ${dice.pick(["install", "setup"])}`;
  const text = [
    `dimg: ${name}`,
    dice.chance(0.8) ? "from: oci:../base:latest" : "from: scratch",
    ...(whole ? ["gitPatches: false"] : []),
    "git:",
    entry("/one", second === "/app/b" || dice.chance(0.8) ? "/app" : "/"),
    ...(second ? [entry("/two", second)] : []),
    ...(third ? [entry("/sub", third)] : []),
    ...(imported ? [`import: [{ artifact: files, add: /f, to: /imported, ${place}${owner()} }]`] : []),
    "shell:",
    ...["install", "setup"].map((stage) => `  ${stage}CacheVersion: 1`),
    ...["install", "setup"].filter(() => dice.chance(0.6)).map((stage) => `  ${stage}: ${commands()}`),
  ].join("\n");
  return { name, text, exact: whole };
}
