/** What each side may know and call of objects that live in the other: one row for each object of a role. */
import { Reference, type Shape } from "../wire.ts";

/** Hooks that answer with an object which does the work. */
export type RoleName = "openRegistry" | "openSource" | "openStore" | "openBuilder";

/** The answer goes as it is. */
const plain = (answer: unknown): unknown => answer;

/** The answer stays where it is. */
function handed(shape: Shape): (answer: unknown) => unknown {
  return (answer) => isAbsent(answer) ? undefined : new Reference(answer as object, shape);
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

/** What is listed is asked for in pages. */
const listed = (answer: unknown): unknown =>
  new Reference(new Pages(answer as AsyncIterable<unknown>), pagesShape);

/** A list that is asked for a page at a time. */
export const pagesShape: Shape = { methods: { next: plain, close: plain } };

/** One page of a list. */
export interface Page {
  readonly items: readonly unknown[];
  /** There are no more. */
  readonly done: boolean;
}

/** Items of a page, and milliseconds after which one that has any goes. */
const [PAGE, PAGE_MS] = [256, 20];

class Pages {
  readonly #items: AsyncIterator<unknown>;

  constructor(list: AsyncIterable<unknown>) {
    this.#items = list[Symbol.asyncIterator]();
  }

  /** Asked again when the page before was used: a list is never further than that. */
  async next(): Promise<Page> {
    const items: unknown[] = [];
    for (const start = performance.now(); items.length < PAGE;) {
      const { done, value } = await this.#items.next();
      if (done) return { items, done: true };
      items.push(value);
      if (performance.now() - start > PAGE_MS) break;
    }
    return { items, done: false };
  }

  async close(): Promise<void> {
    await this.#items.return?.();
  }
}

export const repositoryShape: Shape = {
  facts: ["name"],
  methods: {
    head: plain,
    manifest: plain,
    blob: plain,
    download: plain,
    probe: plain,
    upload: plain,
    putManifest: plain,
    requirePush: plain,
    tags: listed,
    remove: plain,
    removeUntagged: plain,
    referrers: plain,
    dropOverwritten: plain,
    inspect: plain,
  },
  optional: ["probe", "requirePush", "removeUntagged", "referrers", "dropOverwritten", "inspect"],
};

export const registryShape: Shape = {
  facts: ["kind", "capabilities"],
  methods: { repository: handed(repositoryShape), dispose: plain },
};

/** What is remembered between runs. */
export const memoShape: Shape = { methods: { get: plain, put: plain } };

/** The store, as plugins are handed it. */
export const givenStoreShape: Shape = {
  facts: ["path", "handed", "lent"],
  methods: {},
  parts: {
    memo: memoShape,
    blobs: { methods: { size: plain, get: plain, put: plain, adopt: plain } },
    housekeeping: { methods: { directory: plain } },
  },
};

export const sourceShape: Shape = { methods: { resolve: plain, fetch: plain, dispose: plain } };

/** A lock that is held. */
export const lockShape: Shape = { methods: { dispose: plain } };

/** A store of a plugin, as its process wraps it. */
export const storeShape = {
  facts: ["path"],
  methods: { dispose: plain },
  parts: {
    blobs: {
      methods: {
        scratch: plain,
        path: plain,
        size: plain,
        adopt: plain,
        isUntouched: plain,
        put: plain,
        get: plain,
      },
      optional: ["isUntouched"],
    },
    stages: {
      methods: { whole: plain, record: plain, all: listed, put: plain, history: plain, addHistory: plain },
    },
    memo: memoShape,
    locks: { methods: { take: handed(lockShape), claim: plain, claimed: plain } },
    housekeeping: {
      methods: {
        check: plain,
        forget: plain,
        sweep: plain,
        directory: plain,
        makeRoom: plain,
        sections: (answer) =>
          (answer as readonly object[]).map((section) => new Reference(section, sectionShape)),
      },
    },
  },
} satisfies Shape;

const sectionShape: Shape = { facts: ["path", "what"], methods: { remove: plain } };

/** A blob that is made while the step is over already. */
export const blobShape: Shape = { methods: { take: plain } };

/** Told how many steps can run at once. */
export const watcherShape: Shape = { methods: { changed: plain } };

/** A builder of a plugin, as its process wraps it. */
export const builderShape: Shape = {
  facts: ["name", "mounts"],
  methods: {
    watchCapacity: () => undefined,
    place: plain,
    warmUp: () => undefined,
    expectLayers: () => undefined,
    prefetch: () => undefined,
    run: plain,
    buildDockerfile: plain,
    leftovers: plain,
    dispose: plain,
  },
  optional: ["watchCapacity", "place", "warmUp", "expectLayers", "prefetch", "buildDockerfile", "leftovers"],
};

/** What hooks answer with that give such an object. */
export const roleShapes: Readonly<Record<RoleName, Shape>> = {
  openRegistry: registryShape,
  openSource: sourceShape,
  openStore: storeShape,
  openBuilder: builderShape,
};

/** Whether a hook answers with an object. */
export function isRole(hook: string): hook is RoleName {
  return Object.hasOwn(roleShapes, hook);
}
