import { LayerContents } from "../layers/contents.ts";
import { Elsewhere } from "../layers/elsewhere.ts";
import { ApartStages } from "./apart_stages.ts";
import { BuilderPlace } from "./builder_place.ts";
import { PublishedOutlines } from "./published_outlines.ts";
import { readOutlines } from "./read_stage.ts";
import type { SharedStagesOptions } from "./shared_options.ts";
import { StageFinder } from "./stage_finder.ts";
import { StagePublisher } from "./stage_publisher.ts";
import { StageTaker } from "./stage_taker.ts";

/** A run's stages in registries: who finds them, takes them into the store, and publishes them from it. */
export interface SharedStages {
  readonly options: SharedStagesOptions;
  readonly finder: StageFinder;
  readonly taker: StageTaker;
  /** Undefined, as `place` is, when nothing is published. */
  readonly publisher: StagePublisher | undefined;
  readonly place: BuilderPlace | undefined;
  readonly apart: ApartStages;
  /** Layers that the repositories of this run have. */
  readonly elsewhere: Elsewhere;
  /** What is in them. */
  readonly outlines: PublishedOutlines;
}

/** Puts together what a run has to do with stages in registries. */
export function shareStages(options: SharedStagesOptions): SharedStages {
  const { store, signal, sources, target } = options;
  const contents = new LayerContents(store);
  const elsewhere = new Elsewhere(
    { ...options, contents },
    [...sources, ...(target ? [target] : [])],
    options.losses,
  );
  const outlines = new PublishedOutlines({
    memo: store.memo,
    read: (repository, signature) => readOutlines(repository, signature, options),
  });
  const finder = new StageFinder(options);
  const apart = new ApartStages(options.losses, signal);
  const taker = new StageTaker({ ...options, finder, contents, apart, outlines });
  const publisher = target && new StagePublisher({ ...options, target, finder, apart, elsewhere });
  const place = publisher && new BuilderPlace({ ...options, ...publisher.needs, publisher });
  return { options, finder, taker, publisher, place, apart, elsewhere, outlines };
}
