import { OciError } from "../../lib/oci/errors.ts";
import { findImage } from "../../lib/oci/find_image.ts";
import { imageOf } from "../../lib/oci/image.ts";
import { layoutDirectory, LayoutReader, parseLocation } from "../../lib/oci/layout.ts";
import { layoutImage } from "../../lib/oci/layout_image.ts";
import { platformOf } from "../../lib/oci/platform.ts";
import { parseReference } from "../../lib/oci/reference.ts";
import type { Descriptor } from "../../lib/oci/types.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { EngineError } from "../contract/errors.ts";
import { stageTag } from "../contract/labels.ts";
import type { RemoteManifest, Repository } from "../contract/registry.ts";
import type { ImageState } from "../contract/store.ts";
import { isSignature, type Signature } from "../contract/signature.ts";
import { transferring } from "../layers/transfers.ts";
import type { LookNeeds } from "./needs.ts";
import { findStage } from "./find_stage.ts";

/** An image that was found. Its layers are read where they are. */
export interface OpenedImage {
  /** What it is called in messages. */
  readonly title: string;
  readonly state: ImageState;
  /** Of its manifest, where it has one. */
  readonly digest?: Digest;
  /** Of the stage that it is. */
  readonly signature?: Signature;
  /** Where layers are that are not in the store. */
  readonly place?: { readonly dir: string } | { readonly repository: Repository };
}

/**
 * Finds the image that is meant: `oci:DIR[:TAG]`, `archive:FILE[:NAME]`, the signature of a stage, a dimg or
 * `DIMG/STAGE` as it is built now, or an image of a registry. Without a name the only dimg.
 *
 * @throws NOT_BUILT, DIMG_UNKNOWN, STAGE_UNKNOWN, SOURCE_NOT_FOUND, SOURCE_INVALID, REGISTRY_DENIED, REGISTRY_FAILED
 */
export async function openImage(session: LookNeeds, name: string | undefined): Promise<OpenedImage> {
  const signature = name?.replace(/^dimgstage-[^/:]*:/, "");
  if (isSignature(signature)) return await openStage(session, signature, `stage ${signature.slice(0, 12)}…`);
  if (name?.startsWith("oci:")) return await explained(session, () => openLayout(session, name));
  if (name?.startsWith("archive:")) return await openArchive(session, name);
  const found = await findStage(session, name);
  if (found) return await openStage(session, found.signature, found.title);
  return await explained(session, () => openRemote(session, name!));
}

/** A stage of the store, of where its layers stayed, or of REPO. @throws NOT_BUILT */
export async function openStage(
  session: LookNeeds,
  signature: Signature,
  title: string,
): Promise<OpenedImage> {
  const { stages } = await session.store();
  const here = await stages.whole(signature);
  if (here) return { title, state: here.image, signature };
  const open = async (repo: string) => (await session.registry(repo)).value.repository("");
  const known = await stages.record(signature);
  if (known?.elsewhere) {
    return {
      title,
      state: known.image,
      signature,
      place: { repository: await open(known.elsewhere.repository) },
    };
  }
  const { repo, options: { cacheFrom, signal } } = session;
  for (const place of repo === undefined ? cacheFrom : [repo, ...cacheFrom]) {
    const repository = await open(place);
    const manifest = await repository.manifest(stageTag(signature), signal);
    if (manifest) {
      const opened = await explained(session, () => imageIn(session, repository, manifest, title));
      return { ...opened, signature };
    }
  }
  throw new EngineError("NOT_BUILT", `Cannot look into ${title}: it is not built for the current state`, {
    fix: "Run: dapp dimg build, or say with --repo where it is",
  });
}

async function openLayout({ options }: LookNeeds, title: string): Promise<OpenedImage> {
  const { location, ...selector } = parseLocation(title.slice("oci:".length));
  const dir = location.startsWith("/") ? location : `${options.dir}/${location}`;
  const reader = new LayoutReader(layoutDirectory(dir), title);
  const platform = platformOf(options.platform);
  const { id } = await reader.resolve({ selector, platform });
  return { title, digest: id, state: await layoutImage(reader, id, platform), place: { dir } };
}

/** What is in an archive can be read but once from its beginning to its end: it goes through the store. */
async function openArchive(session: LookNeeds, title: string): Promise<OpenedImage> {
  const { platform, signal, emit } = session.options;
  const source = await session.source(title, platform);
  const { id } = await source.resolve(undefined, signal);
  const note = (text: string) => emit({ type: "note", level: "info", text });
  const state = await transferring(
    emit,
    async (progress) => await source.fetch({ id }, { signal, progress, note }),
    { signal },
  );
  return { title, state };
}

async function openRemote(session: LookNeeds, title: string): Promise<OpenedImage> {
  const { domain, path, tag, digest } = parseReference(title);
  const repository = (await session.registry(`${domain}/${path}`)).value.repository("");
  const manifest = await repository.manifest(digest ?? tag!, session.options.signal);
  if (manifest) return await imageIn(session, repository, manifest, title);
  throw new EngineError("SOURCE_NOT_FOUND", `Cannot find image "${title}": ${domain} does not have it`, {
    fix: "Correct name and tag; dapp dimg tags lists what the project has published",
  });
}

async function imageIn(
  { options }: LookNeeds,
  repository: Repository,
  root: RemoteManifest,
  title: string,
): Promise<OpenedImage> {
  const platform = platformOf(options.platform);
  const config = (blob: Descriptor) => repository.blob(blob, options.signal);
  const manifest = async ({ digest }: Descriptor) => {
    const found = await repository.manifest(digest, options.signal);
    if (found) return found.bytes;
    throw new OciError(
      "missing",
      `Cannot use image "${title}": the registry has lost its manifest ${digest}`,
    );
  };
  const found = await findImage(root, { platform, title, reader: { manifest, config } });
  const state = imageOf(found.manifest, await config(found.manifest.config), { title, platform });
  return { title, digest: found.digest, state, place: { repository } };
}

/** What is wrong with an image as an error for people. */
async function explained<T>({ options }: LookNeeds, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    const code = error.kind === "missing" ? "SOURCE_NOT_FOUND" : "SOURCE_INVALID";
    // That of a base image says what to build.
    const fix = error.message.endsWith(`, wanted is ${options.platform}`)
      ? "Say with --platform which of them is meant"
      : error.fix ?? "Correct the name, or have the image made again";
    throw new EngineError(code, error.message, { cause: error, fix });
  }
}
