/** What the hook `config` of a plugin apart may not give to steps: they would reach what the plugin cannot. */
import type { Config, ImageRule } from "../../contract/config.ts";
import { EngineError } from "../../contract/errors.ts";
import { isObject, isText } from "../../../lib/guard.ts";

/** What of this machine a step gets. */
const REACH = ["mounts", "secrets", "ssh"] as const;

/**
 * Holds an answer to what was there before: mounts, secrets, ssh agents, other repositories and bases that are files may
 * be taken away, not added, and the network may only become `none`. Answers of other shapes are left to the check of all answers.
 *
 * @throws PLUGIN_RESULT_INVALID
 */
export function requireNoMoreReach(plugin: string, before: Config, answer: unknown): void {
  if (!hasImages(answer)) return;
  for (const image of answer.images) {
    const known = before.images.find(({ kind, name }) => kind === image?.kind && name === image.name);
    const what = addedTo(known, image ?? {});
    if (what === undefined) continue;
    throw new EngineError(
      "PLUGIN_RESULT_INVALID",
      `Cannot use what plugin "${plugin}" makes of the dappfile: it adds ${what} to "${
        image?.name ?? ""
      }", ` +
        "through which a step would reach what the plugin itself may not",
      { plugin, hook: "config", fix: "Write it into the dappfile, or trust the plugin with: trusted: true" },
    );
  }
}

function addedTo(known: ImageRule | undefined, image: Partial<ImageRule>): string | undefined {
  for (const key of REACH) {
    const there = (known?.[key] ?? []).map((each) => JSON.stringify(each));
    const now: unknown = image[key];
    if (Array.isArray(now) && now.some((each) => !there.includes(JSON.stringify(each)))) return `\`${key}\``;
  }
  const urls = urlsOf(known?.git);
  const url = urlsOf(image.git).find((each) => !urls.includes(each));
  if (url !== undefined) return `\`git\` of "${url}"`;
  const file = fileOf(image.base);
  if (file !== undefined && file !== fileOf(known?.base)) return `\`from: ${file}\``;
  const { network } = image;
  const isLess = network === known?.network || network === "none" ||
    network !== "host" && known?.network !== "none";
  return isLess ? undefined : `\`network: ${network ?? "private"}\``;
}

/** Other repositories than the project's own, which are read with what this user may read. */
function urlsOf(git: unknown): readonly string[] {
  if (!Array.isArray(git)) return [];
  const urls = git.map((entry) => isObject(entry) && isObject(entry.remote) ? entry.remote.url : undefined);
  return urls.filter(isText);
}

/** A base that is a file or directory of this machine. */
function fileOf(base: unknown): string | undefined {
  return isObject(base) && isText(base.name) && /^(?:oci|archive):/.test(base.name) ? base.name : undefined;
}

function hasImages(answer: unknown): answer is { readonly images: readonly (Partial<ImageRule> | null)[] } {
  return typeof answer === "object" && answer !== null && "images" in answer && Array.isArray(answer.images);
}
