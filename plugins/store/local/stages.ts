import {
  type HistoryRow,
  isSignature,
  type Signature,
  type StageRecord,
  type Stages,
} from "../../../core/contract/plugin.ts";
import type { LocalBlobs } from "./blobs.ts";
import { fileName, listFiles, remember } from "./files.ts";
import type { ScratchFiles } from "./scratch_files.ts";
import { ifPresent } from "../../../lib/file_failure.ts";
import { isStageRecord } from "../../../core/contract/plugin.ts";

const HISTORY_ROWS = 50;

/** Records as files `stages/<signature>`, and `history/<project>/<image>/<stage>` with signatures, newest first. */
export class LocalStages implements Stages {
  constructor(readonly root: string, readonly files: ScratchFiles, readonly blobs: LocalBlobs) {}

  get directory(): string {
    return `${this.root}/stages`;
  }

  async whole(signature: Signature): Promise<StageRecord | undefined> {
    const record = await this.record(signature);
    if (!record) return undefined;
    const present = await Promise.all(
      record.image.layers.map(async (layer) => await this.blobs.size(layer.digest) === layer.size),
    );
    return present.every(Boolean) ? record : undefined;
  }

  async record(signature: Signature): Promise<StageRecord | undefined> {
    const record = await this.anyRecord(signature);
    return record?.format === 2 ? record : undefined;
  }

  /** The record, even if it is of an older format: for those that keep house. */
  async anyRecord(signature: Signature): Promise<StageRecord | undefined> {
    const text = await ifPresent(() => Deno.readTextFile(`${this.directory}/${signature}`));
    if (text === undefined) return undefined;
    try {
      const record: unknown = JSON.parse(text);
      return isStageRecord(record) && record.signature === signature ? record : undefined;
    } catch {
      return undefined; // torn by a failing disk: as good as absent
    }
  }

  async *all(): AsyncIterable<StageRecord> {
    for (const name of await listFiles(this.directory)) {
      const record = isSignature(name) ? await this.anyRecord(name) : undefined;
      if (record) yield record;
    }
  }

  async put(record: StageRecord): Promise<void> {
    // What was taken as it is can be taken again, and its layers are not settled yet either.
    await this.files.write(`${this.directory}/${record.signature}`, JSON.stringify(record), {
      durable: record.unseen === undefined,
    });
  }

  async history(project: string, image: string, stage: string): Promise<readonly HistoryRow[]> {
    const text = await ifPresent(() => Deno.readTextFile(this.#historyPath(project, image, stage)));
    const rows: HistoryRow[] = [];
    for (const line of text?.split("\n") ?? []) {
      const [at, signature] = line.split(" ");
      if (at && signature && isSignature(signature)) rows.push({ at, signature });
    }
    return rows;
  }

  async addHistory(project: string, image: string, stage: string, signature: Signature): Promise<void> {
    const old = await this.history(project, image, stage);
    if (old[0]?.signature === signature) return;
    const rows = [
      { at: new Date().toISOString(), signature },
      ...old.filter((r) => r.signature !== signature),
    ];
    const text = rows.slice(0, HISTORY_ROWS).map((r) => `${r.at} ${r.signature}\n`).join("");
    const path = this.#historyPath(project, image, stage);
    await remember(() => this.files.write(path, text, { durable: false }));
  }

  #historyPath(project: string, image: string, stage: string): string {
    return `${this.root}/history/${fileName(project)}/${fileName(image)}/${fileName(stage)}`;
  }
}
