import type { EventSink } from "../contract/events.ts";
import type { StageRecord, Store } from "../contract/store.ts";
import type { Elsewhere } from "../layers/elsewhere.ts";
import { outputOf, type StageOutput } from "../layers/stage_output.ts";
import { stageTitle } from "../sign/graph.ts";
import type { SignedImage } from "../sign/sign.ts";
import { refOf } from "../sign/stage_ref.ts";
import { type EnvironmentNeeds, stepEnvironment } from "./command_env.ts";
import type { Introspector } from "./introspect.ts";
import type { OnDemandBuilder } from "./on_demand_builder.ts";
import type { BuildTask } from "./stage_task.ts";
import { type MountNeeds, mountsOf } from "./step_mounts.ts";
import { networkOf, type NetworkOptions } from "./step_network.ts";

/** What opening shells takes. */
export interface ShellNeeds {
  readonly session: MountNeeds & {
    readonly options: EnvironmentNeeds & NetworkOptions & { readonly emit: EventSink };
  };
  readonly builder: Pick<OnDemandBuilder, "open">;
  readonly signal: AbortSignal;
}

/** Where stages are that were not made in this run. */
type ShellPlaces = Pick<Store, "stages"> & { readonly elsewhere: Elsewhere | undefined };

/** Shells in the file systems of stages, where the user wants them. Nothing that is done in one is kept. */
export class StageShells {
  constructor(readonly needs: ShellNeeds, readonly wanted: Introspector) {}

  /** Before a stage that is to be made; says so where there is nothing to be in. */
  async before({ image, stage, at, parent }: BuildTask): Promise<void> {
    if (!this.wanted.before(at)) return;
    if (parent) return await this.open({ image, at }, parent, "before");
    const what = stage.spec.work.kind === "dockerfile"
      ? "; --introspect-before-error opens one before the command that fails"
      : "";
    this.#warn(`No shell before ${stageTitle(at)}: no stage comes before it${what}`);
  }

  /** In a stage that was made. */
  async after({ image, at }: BuildTask, output: StageOutput): Promise<void> {
    if (this.wanted.after(at)) await this.open({ image, at }, output, "after");
  }

  /** Before and in stages up to the highest that is there; says so where only a later one is. */
  async cached(
    image: SignedImage,
    top: { readonly index: number; readonly record: StageRecord },
    { stages, elsewhere }: ShellPlaces,
  ): Promise<void> {
    for (const [i, stage] of image.stages.slice(0, top.index + 1).entries()) {
      const at = refOf(image, stage);
      for (const when of ["before", "after"] as const) {
        if (!this.wanted[when](at)) continue;
        const { signature } = when === "after" ? stage : image.stages[i - 1] ?? stage;
        const record = signature === top.record.signature ? top.record : await stages.whole(signature);
        if (record) await this.open({ image, at }, outputOf(record, elsewhere), when);
        else {
          this.#warn(`No shell ${when} ${stageTitle(at)}: that state is not in the store, only a later one`);
        }
      }
    }
  }

  /** The same in an image that is not built, since nothing that is built uses it. */
  async unneeded(
    image: SignedImage,
    top: Parameters<StageShells["cached"]>[1] | undefined,
    places: ShellPlaces,
  ): Promise<void> {
    if (top) await this.cached(image, top, places);
    for (const stage of image.stages.slice((top?.index ?? -1) + 1)) {
      const at = refOf(image, stage);
      for (const when of ["before", "after"] as const) {
        if (!this.wanted[when](at)) continue;
        this.#warn(
          `No shell ${when} ${stageTitle(at)}: it is not in the store, and nothing that is built uses it`,
        );
      }
    }
  }

  /** In what a stage made, or stands on. */
  async open(
    { image: { node: { rule } }, at }: Pick<BuildTask, "image" | "at">,
    output: StageOutput,
    when: "before" | "after",
  ): Promise<void> {
    const { session, builder, signal } = this.needs;
    const label = stageTitle(at);
    const text = `Shell ${when} ${label}; leave it with "exit" to go on`;
    session.options.emit({ type: "note", level: "info", text });
    await (await builder.open()).shell({
      label,
      parents: output.layers,
      argv: ["/bin/sh"],
      env: stepEnvironment(session.options, output),
      cwd: "/",
      user: "",
      mounts: await mountsOf(session, rule, label),
      ...networkOf(session.options, rule),
    }, signal);
  }

  #warn(text: string): void {
    this.needs.session.options.emit({ type: "note", level: "warn", text });
  }
}
