/** Tries out what a registry can do, with tiny images that are removed again. */
import { EngineError, messageOf } from "../contract/errors.ts";
import { SERVICE_TAG_PREFIX } from "../contract/labels.ts";
import {
  makeProbeImage,
  makeProbeIndex,
  type ProbeImage,
  uploadProbeBlob,
  uploadProbeBlobs,
} from "./probe_image.ts";
import type { RegistryBackend, RegistryCapabilities, Repository } from "../contract/registry.ts";

type Probe = RegistryCard["probes"][number];
/** What a probe found, in one sentence. */
type Finding = Omit<Probe, "name">;

export interface ProbeOptions {
  readonly signal: AbortSignal;
  /** Repository below REPO for what is pushed, where the registry has such. @default "dapp-check" */
  readonly scratchName?: string;
}

/** How long tidying up may take after the check was stopped, in milliseconds. */
const TIDY_MS = 60_000;

/**
 * Tries a registry: reach it, log in, push, pull, nested names, mounts, overwriting, indexes, listing, referrers, pages, deleting. All of
 * it goes to a scratch repository below REPO, or under scratch tags to REPO itself where there are no repositories below
 * others, and is removed again also when something fails; what stays is named by the last probe.
 *
 * Failures are findings. Only the signal's reason is thrown, after tidying up.
 */
export async function probeRegistry(
  backend: RegistryBackend,
  { signal, scratchName = "dapp-check" }: ProbeOptions,
): Promise<RegistryCard["probes"]> {
  const check = new RegistryCheck(backend, { signal, scratchName });
  try {
    await check.run();
  } finally {
    await check.tidy(signal.aborted ? AbortSignal.timeout(TIDY_MS) : signal);
  }
  return check.probes;
}

const yes = (detail: string): Finding => ({ result: "yes", detail });
const no = (detail: string): Finding => ({ result: "no", detail });
const skipped = (detail: string): Finding => ({ result: "skipped", detail });

class RegistryCheck {
  readonly probes: Probe[] = [];
  readonly #backend: RegistryBackend;
  readonly #signal: AbortSignal;
  readonly #scratchName: string;
  readonly #prefix = `${SERVICE_TAG_PREFIX}check-${crypto.randomUUID().slice(0, 8)}`;
  /** Every tag that may have come into being. */
  readonly #tags = new Map<string, { readonly repository: Repository; readonly tag: string }>();

  constructor(
    backend: RegistryBackend,
    { signal, scratchName }: { readonly signal: AbortSignal; readonly scratchName: string },
  ) {
    this.#backend = backend;
    this.#signal = signal;
    this.#scratchName = scratchName;
  }

  async run(): Promise<void> {
    const root = this.#backend.repository("");
    const reached = await this.#probe("reach", async () => {
      await root.head(`${this.#prefix}-none`, this.#signal);
      return yes(`${root.name} answers, and can be read with what is known of a login`);
    });
    if (reached !== "yes") return;
    const image = await makeProbeImage();
    const scratch = await this.#push(root, image);
    if (!scratch) return;
    await this.#probe("pull", () => this.#pull(scratch, image));
    await this.#probe("mount", () => this.#mount(scratch, root, image));
    await this.#probe("overwrite", () => this.#overwrite(scratch));
    await this.#probe("index", () => this.#index(scratch, image));
    await this.#probe("list tags", () => this.#list(scratch));
    await this.#features(scratch);
    const deletes = await this.#probe("delete tag", () => this.#delete(scratch));
    await this.#probe(
      "delete spares siblings",
      deletes === "yes"
        ? () => this.#siblings(scratch)
        : () => Promise.resolve(skipped("no tag could be deleted")),
    );
  }

  /** Removes what was pushed and says what could not be. */
  async tidy(signal: AbortSignal): Promise<void> {
    const left: string[] = [];
    let why = "";
    for (const [name, { repository, tag }] of this.#tags) {
      try {
        const digest = await repository.head(tag, signal);
        if (digest === undefined) continue;
        const done = await repository.remove({ tag, digest, alone: true }, signal);
        if (done.outcome !== "refused") continue;
        why ||= done.why;
      } catch (error) {
        why ||= messageOf(error);
      }
      left.push(name);
    }
    if (this.#tags.size === 0) return;
    const detail = left.length === 0
      ? "every tag pushed for this check is removed again"
      : `${left.join(", ")} could not be removed: ${why}`;
    this.probes.push({ name: "tidy up", result: left.length === 0 ? "yes" : "failed", detail });
  }

  /** The repository that took an image: one below REPO, or REPO itself. */
  async #push(root: Repository, image: ProbeImage): Promise<Repository | undefined> {
    const { nested } = this.#backend.capabilities;
    let refused = "the registry has no repositories below others; publish with --naming flat";
    if (nested) {
      try {
        const below = this.#backend.repository(this.#scratchName);
        await this.#store(below, image, "a");
        this.#note("push", yes(`an image was pushed to ${below.name}`));
        this.#note("nested names", yes(`repositories such as ${below.name} are possible`));
        return below;
      } catch (error) {
        this.#signal.throwIfAborted();
        refused = messageOf(error);
      }
    }
    const pushed = await this.#probe("push", async () => {
      await this.#store(root, image, "a");
      return yes(`an image was pushed to ${root.name}`);
    });
    this.#note("nested names", pushed === "yes" ? no(refused) : skipped("nothing could be pushed"));
    return pushed === "yes" ? root : undefined;
  }

  async #pull(scratch: Repository, image: ProbeImage): Promise<Finding> {
    const found = await scratch.manifest(`${this.#prefix}-a`, this.#signal);
    if (!found) return no("the tag that was just pushed is not there");
    if (found.digest !== image.digest) {
      return no(`the tag that was just pushed names ${found.digest}, pushed was ${image.digest}`);
    }
    await scratch.blob(image.config, this.#signal);
    return yes("manifest and blob came back as they were pushed");
  }

  async #mount(scratch: Repository, root: Repository, { config }: ProbeImage): Promise<Finding> {
    if (scratch === root) return skipped("it takes two repositories");
    const how = await uploadProbeBlob(root, config, { signal: this.#signal, from: scratch.name });
    if (how === "mounted") {
      return yes("blobs are taken over from other repositories without being sent again");
    }
    if (how === "present") return yes("blobs are shared by all repositories without being sent again");
    return no("blobs are sent again for every repository: the registry did not take one over");
  }

  async #overwrite(scratch: Repository): Promise<Finding> {
    const other = await makeProbeImage();
    await this.#store(scratch, other, "a");
    const now = await scratch.head(`${this.#prefix}-a`, this.#signal);
    return now === other.digest
      ? yes("a tag can be pushed again with another image")
      : no("a tag that was pushed again still names the former image");
  }

  async #index(scratch: Repository, image: ProbeImage): Promise<Finding> {
    const index = await makeProbeIndex(image);
    // The entry must be there by digest whatever became of its tag.
    await scratch.putManifest(image.manifest, image.digest, this.#signal);
    const tag = this.#tag(scratch, "index");
    await scratch.putManifest(index.manifest, tag, this.#signal);
    return await scratch.head(tag, this.#signal) === index.digest
      ? yes("images for several platforms can be published under one tag")
      : no("an index was taken, but its tag names something else");
  }

  async #list(scratch: Repository): Promise<Finding> {
    const wanted = `${this.#prefix}-a`;
    let count = 0;
    for await (const row of scratch.tags(this.#signal)) {
      count++;
      if (row.tag !== wanted) continue;
      const told = [
        ...(row.digest === undefined ? [] : ["digests"]),
        ...(row.pushedAt === undefined ? [] : ["times"]),
      ];
      const what = told.length === 0 ? "names alone" : `names, ${told.join(" and ")}`;
      return yes(`the list of tags tells ${what}`);
    }
    return no(`the list of ${count} tags lacks the one that was just pushed`);
  }

  async #features(scratch: Repository): Promise<void> {
    if (!scratch.inspect) return;
    const digest = await scratch.head(`${this.#prefix}-a`, this.#signal).catch(() => undefined);
    let features: Awaited<ReturnType<NonNullable<Repository["inspect"]>>> | undefined;
    const referrers = await this.#probe("referrers", async () => {
      if (digest === undefined) return skipped("nothing could be pushed");
      features = await scratch.inspect!(digest, this.#signal);
      return features.referrers
        ? yes("signatures and other manifests that refer to an image are listed by the registry")
        : no(
          "the registry does not list what refers to an image; tools use tags of the form sha256-… for it",
        );
    });
    await this.#probe("pages", () => {
      const { pages } = features ?? {};
      const finding = referrers === "failed" || pages === undefined
        ? skipped("too few tags to tell")
        : pages
        ? yes("lists of tags come in pages of the size that is asked for")
        : no("lists of tags come all at once, whatever size is asked for");
      return Promise.resolve(finding);
    });
  }

  async #delete(scratch: Repository): Promise<Finding> {
    const image = await makeProbeImage();
    const tag = await this.#store(scratch, image, "delete");
    const done = await scratch.remove({ tag, digest: image.digest, alone: true }, this.#signal);
    if (done.outcome === "refused") return no(`the registry keeps the tag: ${done.why}`);
    if (await scratch.head(tag, this.#signal) !== undefined) {
      return no("the registry said that the tag is deleted, but it is still there");
    }
    return yes(
      done.outcome === "removed" && done.by === "manifest"
        ? "tags can be deleted, with the image they name"
        : "tags can be deleted",
    );
  }

  async #siblings(scratch: Repository): Promise<Finding> {
    const image = await makeProbeImage();
    const goes = await this.#store(scratch, image, "goes");
    const stays = this.#tag(scratch, "stays");
    await scratch.putManifest(image.manifest, stays, this.#signal);
    const done = await scratch.remove({ tag: goes, digest: image.digest, alone: false }, this.#signal);
    if (await scratch.head(stays, this.#signal) !== image.digest) {
      return no("deleting one tag takes other tags of the same image along");
    }
    if (done.outcome === "refused") {
      return no(`a tag that shares its image with another cannot be deleted: ${done.why}`);
    }
    return yes("deleting one tag leaves other tags of the same image");
  }

  /** Pushes an image and gives its tag. */
  async #store(repository: Repository, image: ProbeImage, name: string): Promise<string> {
    await uploadProbeBlobs(repository, image, this.#signal);
    const tag = this.#tag(repository, name);
    await repository.putManifest(image.manifest, tag, this.#signal);
    return tag;
  }

  #tag(repository: Repository, name: string): string {
    const tag = `${this.#prefix}-${name}`;
    this.#tags.set(`${repository.name}:${tag}`, { repository, tag });
    return tag;
  }

  async #probe(name: string, probe: () => Promise<Finding>): Promise<Probe["result"]> {
    let finding: Finding;
    try {
      finding = await probe();
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!(error instanceof EngineError)) throw error;
      finding = { result: error.code === "REGISTRY_UNSUPPORTED" ? "no" : "failed", detail: error.message };
    }
    this.#note(name, finding);
    return finding.result;
  }

  #note(name: string, { result, detail }: Finding): void {
    this.probes.push({ name, result, detail });
  }
}

/** What a registry can do, as tried. */
export interface RegistryCard {
  readonly repo: string;
  /** Plugin and kind that serve it. */
  readonly plugin: string;
  readonly kind: string;
  readonly capabilities: RegistryCapabilities;
  /** In the order they were tried. */
  readonly probes: readonly {
    readonly name: string;
    readonly result: "yes" | "no" | "failed" | "skipped";
    /** One sentence. */
    readonly detail: string;
  }[];
}
