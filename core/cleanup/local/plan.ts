import type { StageRecord } from "../../contract/store.ts";
import { short } from "../stage_roots.ts";
import type { Signature } from "../../contract/signature.ts";

/** What is to go from the local store. Rules may be combined; a stage goes when any of them says so. */
export interface LocalRules {
  /** Only stages of this project; undefined = of all projects, as `mrproper --all` wants it. */
  readonly project?: string;
  /** Every stage of the project. */
  readonly flush?: boolean;
  /** Stages that no image in REPO stands on: signatures that images there say they are made of. */
  readonly notIn?: ReadonlySet<string>;
  /** Records of another format than this release writes. */
  readonly improperFormat?: boolean;
  /** Stages built within this time stay, with all they stand on, milliseconds; not with `flush`. @default 2 hours */
  readonly graceMs?: number;
  /** Signatures that running builds use, with who. They stay whatever the rules say. */
  readonly inUse?: ReadonlyMap<string, string>;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** A stage record of the store with its fate. */
export interface LocalFate {
  readonly signature: Signature;
  readonly project: string;
  readonly image: string;
  readonly stage: string;
  readonly verdict: "keep" | "delete";
  readonly rule: string;
  readonly why: string;
  /** Compressed bytes that the stage added. */
  readonly bytes: number;
}

/** What will go from the store. JSON-printable. */
export interface LocalPlan {
  /** Those to go come first, each before the stages it stands on. */
  readonly stages: readonly LocalFate[];
  /** Compressed bytes of layers that no record that stays refers to, each once. */
  readonly freedBytes: number;
}

/** The format of stage records that this release writes. */
const FORMAT = 2;

/** Decides which records of the local store go. Pure. */
export function planLocal(records: readonly StageRecord[], rules: LocalRules): LocalPlan {
  const bySignature = new Map<string, StageRecord>(records.map((record) => [record.signature, record]));
  const kept = new Map<string, { readonly rule: string; readonly why: string }>();
  const keepDown = (signature: string, rule: string, why: string) => {
    for (let at: string | null = signature; at !== null && !kept.has(at);) {
      kept.set(at, { rule, why });
      at = bySignature.get(at)?.previous ?? null;
    }
  };
  for (const [signature, who] of rules.inUse ?? []) keepDown(signature, "in use", who);
  if (!rules.flush) {
    const graceMs = rules.graceMs ?? 2 * 3_600_000;
    for (const { signature, builtAt } of records) {
      if (rules.now - Date.parse(builtAt) < graceMs) keepDown(signature, "too young", `built ${builtAt}`);
    }
    for (const signature of rules.notIn ?? []) {
      keepDown(signature, "used by an image", "an image in REPO stands on it");
    }
  }
  const fates = records.map((record): LocalFate => {
    const { signature, origin, stage, addedBytes } = record;
    const reason = kept.get(signature);
    const fate = (verdict: "keep" | "delete", rule: string, why: string): LocalFate => ({
      signature,
      project: origin.project,
      image: origin.image,
      stage,
      verdict,
      rule,
      why,
      bytes: addedBytes,
    });
    if (rules.project !== undefined && origin.project !== rules.project) {
      return fate("keep", "other project", `of project "${origin.project}"`);
    }
    if (reason?.rule === "in use") return fate("keep", reason.rule, reason.why);
    if (rules.flush) return fate("delete", "flush", "all stages are to go");
    if (reason) return fate("keep", reason.rule, reason.why);
    if (rules.improperFormat && record.format as number !== FORMAT) {
      return fate(
        "delete",
        "other format",
        `its record has format ${record.format}, this release writes ${FORMAT}`,
      );
    }
    if (rules.notIn) return fate("delete", "not in REPO", `no image in REPO stands on ${short(signature)}`);
    return fate("keep", "not asked for", "no rule covers it");
  });
  const depth = (record: StageRecord, guard = 1000): number =>
    record.previous === null || guard === 0 || !bySignature.has(record.previous)
      ? 0
      : depth(bySignature.get(record.previous)!, guard - 1) + 1;
  const depths = new Map(records.map((record) => [record.signature, depth(record)]));
  const stages = fates.sort((a, b) =>
    a.verdict === b.verdict
      ? depths.get(b.signature)! - depths.get(a.signature)!
      : a.verdict === "delete"
      ? -1
      : 1
  );
  return { stages, freedBytes: freedBytes(bySignature, stages) };
}

function freedBytes(records: ReadonlyMap<string, StageRecord>, stages: readonly LocalFate[]): number {
  const layersOf = (verdict: LocalFate["verdict"]) =>
    new Map(
      stages.filter((s) => s.verdict === verdict).flatMap(({ signature }) =>
        records.get(signature)!.image.layers.map(({ digest, size }) => [digest, size] as const)
      ),
    );
  const staying = layersOf("keep");
  let bytes = 0;
  for (const [digest, size] of layersOf("delete")) if (!staying.has(digest)) bytes += size;
  return bytes;
}
