import type { MessageInitShape } from "@bufbuild/protobuf";
import type { NewContainerRequestSchema } from "../../../lib/buildkit/gen/github.com/moby/buildkit/frontend/gateway/pb/gateway_pb.ts";
import type { Definition } from "../../../lib/buildkit/gen/github.com/moby/buildkit/solver/pb/ops_pb.ts";
import { type BuildkitClient, failureFacts, type SolveEvents } from "../../../lib/buildkit/client.ts";
import { Gateway } from "../../../lib/buildkit/gateway.ts";
import { observed } from "../../../lib/pool.ts";

/** How a build is made, but for what it builds. */
export interface DriveOptions {
  readonly session: string;
  readonly entitlements: readonly string[];
  readonly exporters: readonly { readonly type: string; readonly attrs: Record<string, string> }[];
  /** Absent: nobody looks on. */
  readonly events?: SolveEvents;
  readonly signal: AbortSignal;
}

/** A container of a build. */
export type Container = Omit<MessageInitShape<typeof NewContainerRequestSchema>, "ContainerID" | "$typeName">;

/** Lets the daemon build, and gives what its exporters answered. @throws {ServiceError} */
export async function build(
  client: BuildkitClient,
  definition: Definition,
  { session, entitlements, exporters, events, signal }: DriveOptions,
): Promise<Readonly<Record<string, string>>> {
  return await client.solve(
    {
      Definition: definition,
      Session: session,
      Entitlements: [...entitlements],
      Exporters: exporters.map(({ type, attrs }) => ({ Type: type, Attrs: attrs })),
    },
    events,
    signal,
  );
}

/**
 * The same step by step, so that the file systems of a command that failed can be looked into: `onFailure` gets the name
 * of what each of its mounts shows. Costs three questions more.
 *
 * @throws {ServiceError}
 */
export async function buildWatched(
  client: BuildkitClient,
  definition: Definition,
  options: DriveOptions,
  onFailure: (gateway: Gateway, mounts: readonly string[]) => Promise<void>,
): Promise<Readonly<Record<string, string>>> {
  return await withGateway(client, options, async (gateway, answer) => {
    let result: string;
    try {
      result = await gateway.solve(definition, options.signal);
    } catch (error) {
      const { mounts, exit } = failureFacts(error);
      if (exit !== undefined && mounts && !options.signal.aborted) await onFailure(gateway, mounts);
      throw error;
    }
    await gateway.finish(result);
    return await answer;
  });
}

/** Opens a build that this side leads, and ends it with the work. @throws {ServiceError} */
export async function withGateway<T>(
  client: BuildkitClient,
  { session, entitlements, exporters, events, signal }: DriveOptions,
  work: (gateway: Gateway, answer: Promise<Readonly<Record<string, string>>>) => Promise<T>,
): Promise<T> {
  const Ref = crypto.randomUUID().replaceAll("-", "");
  const over = new AbortController();
  const answer = observed(client.solve(
    {
      Ref,
      Session: session,
      Entitlements: [...entitlements],
      Exporters: exporters.map(({ type, attrs }) => ({ Type: type, Attrs: attrs })),
    },
    events,
    AbortSignal.any([signal, over.signal]),
  ));
  try {
    const gateway = new Gateway(client, Ref);
    await Promise.race([gateway.ready(signal), answer]);
    return await work(gateway, answer);
  } finally {
    over.abort();
    await answer.catch(() => {}); // the work has said what is wrong
  }
}
