/** Tries out what a registry can do, with tiny images that are removed again. */
import { EngineError, messageOf } from "../contract/errors.ts";
import type { RegistryBackend, RegistryCapabilities, Repository } from "../contract/registry.ts";
import { type ProbeDocument, probeImage, probeIndex, probeService, probeStage } from "./probe_documents.ts";
import { Scratch } from "./scratch.ts";
import { unreachable } from "../../lib/unreachable.ts";

type Probe = RegistryCard["probes"][number];
/** What a probe found, in one sentence. */
type Finding = Omit<Probe, "name">;

/** Repository below REPO for what is pushed, where the registry has such. */
const SCRATCH_NAME = "dapp-check";

/** What dapp cannot do without. */
const NEEDED = ["push", "index", "stage", "service tags"];

/** How long tidying up may take after the check was stopped, in milliseconds. */
const TIDY_MS = 60_000;

/**
 * Tries a registry: reach it, log in, push, pull, nested names, mounts, overwriting, every kind of manifest that dapp
 * writes, listing, referrers, pages, deleting. Images go to a scratch repository below REPO, or under scratch tags to REPO
 * itself where there are no repositories below others; stages and bookkeeping go to REPO, where the real ones are. All of
 * it is removed again also when something fails; what stays is named by the last probe.
 *
 * Failures are findings. Only the signal's reason is thrown, after tidying up.
 */
export async function probeRegistry(
  backend: RegistryBackend,
  { signal }: { readonly signal: AbortSignal },
): Promise<RegistryCard["probes"]> {
  const check = new RegistryCheck(backend, signal);
  try {
    await check.run();
  } finally {
    await check.tidy(signal.aborted ? AbortSignal.timeout(TIDY_MS) : signal);
  }
  return check.probes;
}

const yes = (detail: string): Finding => ({ result: "yes", detail });
const no = (detail: string): Finding => ({ result: "no", detail });
const failed = (detail: string): Finding => ({ result: "failed", detail });
const skipped = (detail: string): Finding => ({ result: "skipped", detail });

class RegistryCheck {
  readonly probes: Probe[] = [];
  readonly #backend: RegistryBackend;
  readonly #signal: AbortSignal;
  readonly #scratch: Scratch;

  constructor(backend: RegistryBackend, signal: AbortSignal) {
    this.#backend = backend;
    this.#signal = signal;
    this.#scratch = new Scratch(signal, backend.capabilities.deletion === "tag");
  }

  async run(): Promise<void> {
    const root = this.#backend.repository("");
    const reached = await this.#probe("reach", async () => {
      await root.head(`${this.#scratch.prefix}-none`, this.#signal);
      return yes(`${root.name} can be read`);
    });
    if (reached !== "yes") return;
    const image = await probeImage();
    const where = await this.#push(root, image);
    if (!where) {
      await this.#probe("list tags", () => this.#list(root, undefined));
      return;
    }
    await this.#probe("pull", () => this.#pull(where, image));
    await this.#probe("mount", () => this.#mount(where, root, image));
    await this.#probe("overwrite", () => this.#overwrite(where, "a", probeImage));
    await this.#probe("index", () => this.#index(where));
    await this.#probe("stage", () => this.#stage(root));
    await this.#probe("service tags", () => this.#service(root));
    await this.#probe("list tags", () => this.#list(where, this.#scratch.tag("a")));
    await this.#features(where);
    const deletes = await this.#probe("delete tag", () => this.#delete(where));
    const notTried = () => Promise.resolve(skipped("no tag could be deleted"));
    await this.#probe("delete image", deletes === "yes" ? () => this.#deleteImage(where) : notTried);
    await this.#probe("delete spares siblings", deletes === "yes" ? () => this.#siblings(where) : notTried);
  }

  /** Removes what was pushed and says what could not be. */
  async tidy(signal: AbortSignal): Promise<void> {
    if (this.#scratch.isEmpty) return;
    const { names, why } = await this.#scratch.tidy(signal);
    const detail = names.length === 0
      ? "every tag and image pushed for this check is removed again"
      : `${names.join(", ")} could not be removed: ${why}`;
    this.probes.push({ name: "tidy up", result: names.length === 0 ? "yes" : "failed", detail });
  }

  /** The repository that took an image: one below REPO, or REPO itself. */
  async #push(root: Repository, image: ProbeDocument): Promise<Repository | undefined> {
    const { nested } = this.#backend.capabilities;
    let refused = "there are no repositories below REPO: images get flat names, REPO:DIMG-TAG";
    if (nested) {
      try {
        const below = this.#backend.repository(SCRATCH_NAME);
        await this.#scratch.store(below, image, this.#scratch.tag("a"));
        this.#note("push", yes(`an image was pushed to ${below.name}`));
        this.#note("nested names", yes(`repositories such as ${below.name} are possible`));
        return below;
      } catch (error) {
        this.#signal.throwIfAborted();
        refused = messageOf(error);
      }
    }
    const pushed = await this.#probe("push", async () => {
      await this.#scratch.store(root, image, this.#scratch.tag("a"));
      return yes(`an image was pushed to ${root.name}`);
    });
    this.#note("nested names", pushed === "yes" ? no(refused) : skipped("nothing could be pushed"));
    return pushed === "yes" ? root : undefined;
  }

  async #pull(where: Repository, image: ProbeDocument): Promise<Finding> {
    const found = await where.manifest(this.#scratch.tag("a"), this.#signal);
    if (!found) return failed("the tag that was just pushed is not there");
    if (found.digest !== image.digest) {
      return failed(`the tag that was just pushed names ${found.digest}, pushed was ${image.digest}`);
    }
    await where.blob(image.blobs.at(-1)!, this.#signal);
    return yes("manifest and blob came back as they were pushed");
  }

  async #mount(where: Repository, root: Repository, { blobs }: ProbeDocument): Promise<Finding> {
    if (where === root) return skipped("it takes two repositories");
    const how = await this.#scratch.upload(root, blobs.at(-1)!, where.name);
    switch (how) {
      case "mounted":
        return yes("blobs are taken over from other repositories without being sent again");
      case "present":
        return yes("blobs are shared by all repositories without being sent again");
      case "uploaded":
        return no("blobs are sent again for every repository: the registry did not take one over");
      default:
        return unreachable(how);
    }
  }

  /** Stores something else under a tag that is there. */
  async #overwrite(
    where: Repository,
    name: string,
    make: () => Promise<ProbeDocument>,
  ): Promise<Finding> {
    const other = await make();
    const tag = this.#scratch.tag(name);
    try {
      await this.#scratch.store(where, other, tag);
    } catch (error) {
      if (!(error instanceof EngineError && error.details.refused)) throw error;
      return no(`a tag keeps what it names: ${messageOf(error)}`);
    }
    return await where.head(tag, this.#signal) === other.digest
      ? yes("a tag can be pushed again with another image")
      : failed("a tag that was pushed again still names the former image");
  }

  async #index(where: Repository): Promise<Finding> {
    const { image, index } = await probeIndex();
    await this.#scratch.store(where, image);
    const tag = await this.#scratch.store(where, index, this.#scratch.tag("index"));
    return await where.head(tag, this.#signal) === index.digest
      ? yes("images for several platforms can be published under one tag")
      : failed("an index was taken, but its tag names something else");
  }

  async #stage(root: Repository): Promise<Finding> {
    const { tag, document } = await probeStage();
    await this.#scratch.store(root, document, tag);
    return await root.head(tag, this.#signal) === document.digest
      ? yes(`stages can be shared in ${root.name}`)
      : failed("a stage was taken, but its tag names something else");
  }

  /** Leases and marks, and notes of what repositories there are. */
  async #service(root: Repository): Promise<Finding> {
    await this.#scratch.store(root, await probeService("repository"), this.#scratch.tag("dimg"));
    const tag = await this.#scratch.store(root, await probeService("service"), this.#scratch.tag("lease"));
    if (await root.head(tag, this.#signal) === undefined) {
      return failed("a lease was taken, but is not there");
    }
    const again = await this.#overwrite(root, "lease", () => probeService("service"));
    if (again.result !== "no") {
      return again.result === "yes" ? yes("builds and cleanups can tell each other what they use") : again;
    }
    return no(
      `builds and cleanups cannot change what they tell each other but by deleting it: ${again.detail}`,
    );
  }

  /** Looks for `wanted`, if that is known to be there. */
  async #list(where: Repository, wanted: string | undefined): Promise<Finding> {
    let count = 0;
    for await (const row of where.tags(this.#signal)) {
      count++;
      if (wanted !== undefined && row.tag !== wanted) continue;
      const told = [
        ...(row.digest === undefined ? [] : ["digests"]),
        ...(row.pushedAt === undefined ? [] : ["times"]),
      ];
      const what = told.length === 0 ? "names alone" : `names, ${told.join(" and ")}`;
      return yes(`the list of tags tells ${what}`);
    }
    return wanted === undefined
      ? yes("the list of tags can be read, and is empty")
      : failed(`the list of ${count} tags lacks the one that was just pushed`);
  }

  async #features(where: Repository): Promise<void> {
    if (!where.inspect) return;
    const digest = await where.head(this.#scratch.tag("a"), this.#signal).catch(() => undefined);
    let features: Awaited<ReturnType<NonNullable<Repository["inspect"]>>> | undefined;
    const referrers = await this.#probe("referrers", async () => {
      if (digest === undefined) return skipped("nothing could be pushed");
      features = await where.inspect!(digest, this.#signal);
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

  async #delete(where: Repository): Promise<Finding> {
    const image = await probeImage();
    const tag = await this.#scratch.store(where, image, this.#scratch.tag("delete"));
    const done = await where.remove({ tag, digest: image.digest, alone: true }, this.#signal);
    if (done.outcome === "refused" || done.outcome === "inseparable") {
      return no(`the registry keeps the tag: ${done.why}`);
    }
    if (await where.head(tag, this.#signal) !== undefined) {
      return failed("the registry said that the tag is deleted, but it is still there");
    }
    return yes(
      done.outcome === "removed" && done.by === "manifest"
        ? "tags can be deleted, with the image they name"
        : "tags can be deleted",
    );
  }

  /** What becomes of an image that no tag names any more. */
  async #deleteImage(where: Repository): Promise<Finding> {
    const image = await probeImage();
    const tag = await this.#scratch.store(where, image, this.#scratch.tag("image"));
    await where.remove({ tag, digest: image.digest, alone: true }, this.#signal);
    if (await where.head(image.digest, this.#signal) === undefined) {
      return yes("an image goes with the last tag that names it");
    }
    const removed = await where.removeUntagged?.(image.digest, this.#signal) ?? false;
    if (removed && await where.head(image.digest, this.#signal) === undefined) {
      return yes("images that no tag names can be deleted");
    }
    return this.#scratch.collected
      ? yes("an image that no tag names stays until the registry collects its garbage")
      : no("an image stays when the last tag that names it is gone");
  }

  async #siblings(where: Repository): Promise<Finding> {
    const image = await probeImage();
    const goes = await this.#scratch.store(where, image, this.#scratch.tag("goes"));
    const stays = await this.#scratch.store(where, image, this.#scratch.tag("stays"));
    const done = await where.remove({ tag: goes, digest: image.digest, alone: false }, this.#signal);
    if (await where.head(stays, this.#signal) !== image.digest) {
      return no("deleting one tag takes other tags of the same image along");
    }
    if (done.outcome === "refused" || done.outcome === "inseparable") {
      return no(`a tag that shares its image with another cannot be deleted: ${done.why}`);
    }
    return yes("deleting one tag leaves other tags of the same image");
  }

  async #probe(name: string, probe: () => Promise<Finding>): Promise<Probe["result"]> {
    let finding: Finding;
    try {
      finding = await probe();
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!(error instanceof EngineError)) throw error;
      // A registry may be able to do little, but not without these.
      const able = error.code !== "REGISTRY_UNSUPPORTED" || NEEDED.includes(name);
      finding = { result: able ? "failed" : "no", detail: error.message };
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
  /** REPO in full. */
  readonly repo: string;
  /** Plugin and kind that serve it. */
  readonly plugin: string;
  /** Short name of the kind of registry. */
  readonly kind: string;
  /** What the plugin says of it. */
  readonly capabilities: RegistryCapabilities;
  /** In the order they were tried. */
  readonly probes: readonly {
    readonly name: string;
    readonly result: "yes" | "no" | "failed" | "skipped";
    /** One sentence. */
    readonly detail: string;
  }[];
}
