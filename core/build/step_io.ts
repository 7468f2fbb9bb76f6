import { MaskedStream, type Masker } from "../../lib/mask.ts";
import type { StepIo } from "../contract/builder.ts";
import type { EventSink } from "../contract/events.ts";
import { OutputTail } from "./output_tail.ts";
import type { SecretVault } from "./secrets.ts";
import type { WorkTask } from "./stage_task.ts";

/** Who makes a stage, as far as its commands ask and tell. */
export interface StepNeeds {
  readonly session: { readonly options: { readonly emit: EventSink; readonly masker: Masker } };
  readonly vault: Pick<SecretVault, "value" | "agent">;
  readonly signal: AbortSignal;
}

/** What commands of a stage are given, and where their output goes: masked, as events. */
export class StepTalk {
  readonly #streams: Readonly<Record<"stdout" | "stderr", MaskedStream>>;
  readonly #tail = new OutputTail();
  readonly io: Omit<StepIo, "onFailure">;

  constructor(
    { session: { options: { emit, masker } }, vault, signal }: StepNeeds,
    { image: { node: { rule } }, at, placed, ran }: WorkTask,
  ) {
    const stream = (stream: "stdout" | "stderr") =>
      new MaskedStream(masker, (text) => {
        this.#tail.add(text);
        emit({ type: "stage.output", at, stream, text });
      });
    this.#streams = { stdout: stream("stdout"), stderr: stream("stderr") };
    this.io = {
      signal,
      placed,
      ran,
      secret: (id) => vault.value(rule.secrets.find((secret) => secret.id === id)!),
      sshAgent: () => vault.agent,
      output: (stream, text) => this.#streams[stream].push(text),
    };
  }

  /** The end of what was printed. */
  get tail(): string {
    return this.#tail.text;
  }

  /** Nothing more is printed: what was held back, since it may have been the start of a secret, is told. */
  end(): void {
    for (const stream of Object.values(this.#streams)) stream.end();
  }
}
