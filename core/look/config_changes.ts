import { isObject } from "../../lib/guard.ts";
import type { ImageConfig } from "../../lib/oci/types.ts";
import { labels, ociLabels } from "../contract/labels.ts";
import { compareText } from "../contract/signature.ts";

/** A part of an image's configuration that differs. */
export interface ConfigChange {
  /** `Entrypoint`, `Env PATH`, `Labels maintainer`, ... */
  readonly key: string;
  /** What it was; absent when it was not there. A text as it is, anything else as JSON. */
  readonly before?: string;
  /** What it is now. */
  readonly after?: string;
  /** A label that publishing has added, where the other image is not published. */
  readonly published?: true;
}

/** Labels that a published image has. */
const NOTES: ReadonlySet<string> = new Set(
  Object.values({ ...labels, ...ociLabels }).map((name) => `Labels ${name}`),
);

/** What differs between two configurations, history and layers left out. */
export function configChanges(before: ImageConfig, after: ImageConfig): readonly ConfigChange[] {
  const [a, b] = [rowsOf(before), rowsOf(after)];
  const one = [a, b].filter((rows) => rows.has(`Labels ${labels.project}`)).length === 1;
  return [...new Set([...a.keys(), ...b.keys()])].sort(compareText).flatMap((key) => {
    const [was, is] = [a.get(key), b.get(key)];
    if (was === is) return [];
    const published = one && (was === undefined || is === undefined) && NOTES.has(key);
    return [{
      key,
      ...(was !== undefined && { before: was }),
      ...(is !== undefined && { after: is }),
      ...(published && { published }),
    }];
  });
}

/** Texts by key; variables, labels and the like each by their own. */
function rowsOf(
  { config = {}, created, author, os, architecture, variant }: ImageConfig,
): ReadonlyMap<string, string> {
  const rows = new Map<string, string>();
  const add = (key: string, value: unknown) => {
    if (isNothing(value)) return;
    if (key === "Env" && Array.isArray(value)) {
      for (const row of value.map(String)) {
        const cut = row.includes("=") ? row.indexOf("=") : row.length;
        rows.set(`Env ${row.slice(0, cut)}`, row.slice(cut + 1));
      }
    } else if (BY_KEY.includes(key) && isObject(value)) {
      for (const [name, one] of Object.entries(value)) rows.set(`${key} ${name}`, textOf(one));
    } else rows.set(key, textOf(value));
  };
  for (
    const [key, value] of [
      ...Object.entries({ created, author, os, architecture, variant }),
      ...Object.entries(config),
    ]
  ) add(key, value);
  return rows;
}

const BY_KEY: readonly string[] = ["Labels", "ExposedPorts", "Volumes"];

/** Tools write what is not set in several ways. */
function isNothing(value: unknown): boolean {
  return value === null || value === undefined || value === "" || value === false ||
    (Array.isArray(value) && value.length === 0);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
