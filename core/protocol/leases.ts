/** Leases: how builds say which stages of REPO they rely on. A fixed number of tags, whatever the number of builds. */
import { isObject } from "../../lib/guard.ts";
import { SERVICE_TAG_PREFIX } from "../contract/labels.ts";
import { type Clock, earlier, later } from "./clock.ts";
import type { Repository } from "../contract/registry.ts";
import { readServiceTag, removeServiceTag, replaceServiceTag } from "./service_tag.ts";
import { sha256Hex } from "../../lib/oci/digest.ts";

/** Slots for leases. */
const LEASE_SLOTS = 16;
/** Slots tried for one that no other build holds, before one is shared. */
const TRIES = 4;
/** Times a shared slot is written until one's own lease is seen in it. */
const WRITES = 4;

/** What one build relies on. */
export interface Lease {
  /** Unique for each build. */
  readonly builder: string;
  /** Signatures; the stages before them are meant too. */
  readonly signatures: readonly string[];
  /** Milliseconds since 1970 by the later of the builder's clock and REPO's; no longer valid after this. */
  readonly until: number;
}

/** Name of a slot's tag. */
function leaseTag(slot: number): string {
  return `${SERVICE_TAG_PREFIX}lease-${String(slot).padStart(2, "0")}`;
}

/** Leases that may still be valid; `now` is the earlier of this machine's clock and REPO's. */
export function validLeases(leases: readonly Lease[], now: number, skewMs: number): readonly Lease[] {
  return leases.filter(({ until }) => until + skewMs >= now);
}

/** Signature -> the build that relies on it. */
export function leasedBy(leases: readonly Lease[]): ReadonlyMap<string, string> {
  return new Map(
    leases.flatMap(({ builder, signatures, until }) =>
      signatures.map((s) =>
        [s, `build ${builder} relies on it until ${new Date(until).toISOString()}`] as const
      )
    ),
  );
}

/** All leases in REPO, expired ones included. @throws REGISTRY_FAILED when one cannot be understood */
export async function readLeases(root: Repository, signal: AbortSignal): Promise<readonly Lease[]> {
  const slots = Array.from({ length: LEASE_SLOTS }, (_, slot) => readSlot(root, slot, signal));
  return (await Promise.all(slots)).flat();
}

/** Removes slots in which no lease is valid, to make room; their number. */
export async function removeIdleSlots(
  root: Repository,
  { now, skewMs, signal }: { readonly now: number; readonly skewMs: number; readonly signal: AbortSignal },
): Promise<number> {
  let count = 0;
  for (let slot = 0; slot < LEASE_SLOTS; slot++) {
    if (validLeases(await readSlot(root, slot, signal), now, skewMs).length > 0) continue;
    if (await removeServiceTag(root, leaseTag(slot), signal)) count++;
  }
  return count;
}

/** How a lease is taken. */
export interface TakeLease {
  readonly clock: Clock;
  /** How long it lasts unless renewed, milliseconds. */
  readonly leaseMs: number;
  readonly skewMs: number;
  readonly signal: AbortSignal;
}

/** A lease in place, to be renewed and given back. */
export interface HeldLease {
  /** Writes it again, with other signatures: it lasts from now. */
  renew(signatures: readonly string[]): Promise<void>;
  release(): Promise<void>;
}

/**
 * Puts a lease into a slot that no other build holds, or shares one when all that were tried are held. A shared slot
 * can lose a lease when two builds write it at the same instant: then the lease protects nothing, which costs work but
 * no stage of a finished build, as every build looks at its stages after it has published.
 */
export async function takeLease(
  root: Repository,
  lease: Pick<Lease, "builder" | "signatures">,
  options: TakeLease,
): Promise<HeldLease> {
  const { clock, leaseMs, skewMs, signal } = options;
  const valid = (leases: readonly Lease[]) => validLeases(leases, earlier(clock.now(), clock), skewMs);
  const first = parseInt((await sha256Hex(lease.builder)).slice(0, 8), 16) % LEASE_SLOTS;
  let slot = first;
  for (let i = 0; i < TRIES; i++) {
    const tried = (first + i * 5) % LEASE_SLOTS;
    const held = valid(await readSlot(root, tried, signal));
    if (held.every(({ builder }) => builder === lease.builder)) {
      slot = tried;
      break;
    }
  }
  const write = async (signatures: readonly string[] | undefined) => {
    for (let i = 0; i < WRITES; i++) {
      const others = valid(await readSlot(root, slot, signal))
        .filter(({ builder }) => builder !== lease.builder);
      // REPO has answered by now, so that its clock is known where it tells.
      const until = later(clock.now(), clock) + leaseMs;
      const own = signatures ? [{ builder: lease.builder, signatures, until }] : [];
      const document = { format: 1, leases: [...others, ...own] };
      await replaceServiceTag(root, leaseTag(slot), { document, signal });
      const seen = await readSlot(root, slot, signal);
      if (own.every(({ builder }) => seen.some((each) => each.builder === builder))) return;
    }
  };
  await write(lease.signatures);
  return { renew: write, release: () => write(undefined) };
}

async function readSlot(root: Repository, slot: number, signal: AbortSignal): Promise<readonly Lease[]> {
  const value = await readServiceTag(root, leaseTag(slot), signal);
  const rows = Array.isArray(value?.leases) ? value.leases : [];
  return rows.map((row): Lease => {
    const { builder, signatures, until } = isObject(row) ? row : {};
    return {
      builder: String(builder),
      signatures: Array.isArray(signatures) ? signatures.map(String) : [],
      until: typeof until === "number" ? until : Number.MAX_SAFE_INTEGER,
    };
  });
}
