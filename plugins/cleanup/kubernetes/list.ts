import type { KubeApi } from "./api.ts";

/** Text that a page should have: enough for few requests, little enough for memory. */
const PAGE_BYTES = 4_000_000;
const FIRST_PAGE = 25;
const LONGEST_PAGE = 1_000;
/** How often a list is begun anew in pages before it is asked for as a whole. */
const RESTARTS = 2;

/** What a list gave. */
export interface Listed<T> {
  /** How many objects there are. */
  readonly objects: number;
  readonly found: readonly T[];
}

/**
 * What `read` takes from the objects of a list, to its end. Objects are let go page by page.
 *
 * @returns undefined when the cluster has no such list
 * @throws {EngineError} PLUGIN_FAILED when it cannot be read to its end
 */
export async function listAll<T>(
  api: KubeApi,
  path: string,
  read: (object: unknown) => Iterable<T>,
): Promise<Listed<T> | undefined> {
  let [objects, found, next, limit] = [0, [] as T[], "", FIRST_PAGE];
  for (let restarts = 0;;) {
    const query = new URLSearchParams({
      ...(restarts <= RESTARTS && { limit: String(limit) }),
      ...(next !== "" && { continue: next }),
    });
    const { status, text } = await api.get(`${path}?${query}`);
    if (status === 404 && next === "") return undefined;
    // The server has forgotten the state that the pages show: what was read of it is not the beginning of another one.
    if (status === 410 && next !== "") {
      [objects, found, next] = [0, [], ""];
      restarts++;
      continue;
    }
    if (status !== 200) throw refusal(api, path, { status, text });
    const page = parsePage(text);
    if (!page) throw api.fail(`${path} answered with no list`);
    objects += page.items.length;
    for (const item of page.items) found.push(...read(item));
    if (page.next === "") return { objects, found };
    next = page.next;
    const fitting = Math.floor(PAGE_BYTES * page.items.length / text.length);
    if (page.items.length > 0) limit = Math.min(LONGEST_PAGE, Math.max(1, fitting));
  }
}

/** The error for an answer that gives nothing. */
export function refusal(
  api: KubeApi,
  path: string,
  { status, text }: { readonly status: number; readonly text: string },
): Error {
  const said = statusMessage(text) ?? text.trim().slice(0, 200);
  const why = `${path} answered ${status}${said === "" ? "" : `: ${said}`}`;
  if (status === 401) {
    return api.fail(why, "Log in to that cluster again, or leave Kubernetes out with --without-kube");
  }
  if (status === 403) {
    return api.fail(
      why,
      "Let this user list workloads (the ClusterRole `view` does), or name `namespaces` where it may in keep-kubernetes",
    );
  }
  return api.fail(why);
}

/** What a `Status` object says. */
function statusMessage(text: string): string | undefined {
  const value = parseJson(text);
  return isFields(value) && typeof value.message === "string" ? value.message : undefined;
}

function parsePage(text: string): { readonly items: readonly unknown[]; readonly next: string } | undefined {
  const value = parseJson(text);
  if (!isFields(value) || !("items" in value)) return undefined;
  // An empty list may be null.
  const { items, metadata } = value;
  if (!Array.isArray(items) && items !== null) return undefined;
  const next = isFields(metadata) ? metadata.continue : undefined;
  return { items: items ?? [], next: typeof next === "string" ? next : "" };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
