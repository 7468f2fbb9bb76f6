import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { createHash } from "node:crypto";
import {
  type Definition,
  DefinitionSchema,
  type ExecOpSchema,
  type FileActionSchema,
  MountSchema,
  type OpMetadata,
  OpMetadataSchema,
  OpSchema,
  type PlatformSchema,
} from "./gen/github.com/moby/buildkit/solver/pb/ops_pb.ts";

/** One output of an operation. */
export interface LlbOutput {
  readonly digest: string;
  readonly index: number;
}

/** Something mounted while a command runs; the root is one with target "/". */
export interface LlbMount
  extends Omit<MessageInitShape<typeof MountSchema>, "$typeName" | "input" | "output"> {
  /** What is in it; empty when absent. */
  readonly input?: LlbOutput;
  /** Number of the output that keeps what was changed; nothing is kept when absent. */
  readonly output?: number;
}

/** How an operation is shown. */
export interface LlbSettings {
  readonly name?: string;
}

/** Writes a build as BuildKit takes it: operations by digest, each naming its inputs. */
export class Llb {
  readonly #operations = new Map<string, { readonly bytes: Uint8Array; readonly metadata: OpMetadata }>();

  constructor(readonly platform: MessageInitShape<typeof PlatformSchema>) {}

  /** Something from elsewhere. */
  source(identifier: string, attrs: Record<string, string> = {}, settings: LlbSettings = {}): LlbOutput {
    return this.#add([], { case: "source", value: { identifier, attrs } }, settings);
  }

  /** Changes files of `inputs` without running anything. */
  file(
    inputs: readonly LlbOutput[],
    actions: readonly MessageInitShape<typeof FileActionSchema>[],
    settings: LlbSettings = {},
  ): LlbOutput {
    return this.#add(inputs, { case: "file", value: { actions: [...actions] } }, settings);
  }

  /** Runs a command; output 0 is the one that a mount has as its `output`. */
  exec(
    { mounts, ...rest }: Omit<MessageInitShape<typeof ExecOpSchema>, "$typeName" | "mounts"> & {
      readonly mounts: readonly LlbMount[];
    },
    settings: LlbSettings = {},
  ): LlbOutput {
    const inputs: LlbOutput[] = [];
    const inputOf = (wanted: LlbOutput | undefined): number => {
      if (!wanted) return -1;
      const at = inputs.findIndex(({ digest, index }) => digest === wanted.digest && index === wanted.index);
      return at >= 0 ? at : inputs.push(wanted) - 1;
    };
    const rows = mounts.map(({ input, output = -1, ...mount }) =>
      create(MountSchema, { ...mount, input: BigInt(inputOf(input)), output: BigInt(output) })
    );
    return this.#add(inputs, { case: "exec", value: { ...rest, mounts: rows } }, settings);
  }

  /** All of it, with `output` as the result. */
  definition({ digest, index }: LlbOutput): Definition {
    const last = toBinary(OpSchema, create(OpSchema, { inputs: [{ digest, index: BigInt(index) }] }));
    return create(DefinitionSchema, {
      def: [...Array.from(this.#operations.values(), ({ bytes }) => bytes), last],
      metadata: {
        ...Object.fromEntries(Array.from(this.#operations, ([key, { metadata }]) => [key, metadata])),
        [digestOf(last)]: create(OpMetadataSchema),
      },
    });
  }

  #add(
    inputs: readonly LlbOutput[],
    op: NonNullable<MessageInitShape<typeof OpSchema>["op"]>,
    { name }: LlbSettings,
  ): LlbOutput {
    const bytes = toBinary(
      OpSchema,
      create(OpSchema, {
        inputs: inputs.map(({ digest, index }) => ({ digest, index: BigInt(index) })),
        op,
        platform: this.platform,
        constraints: {},
      }),
    );
    const digest = digestOf(bytes);
    const description: Record<string, string> = name === undefined ? {} : { "llb.customname": name };
    this.#operations.set(digest, { bytes, metadata: create(OpMetadataSchema, { description }) });
    return { digest, index: 0 };
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
