import type { MessageInitShape } from "@bufbuild/protobuf";
import type { NewContainerRequestSchema } from "../../../lib/buildkit/gen/github.com/moby/buildkit/frontend/gateway/pb/gateway_pb.ts";
import type { Policy } from "../../../lib/buildkit/gen/github.com/moby/buildkit/sourcepolicy/pb/policy_pb.ts";
import {
  type BuildkitClient,
  type FailureFacts,
  failureFacts,
  type SolveEvents,
} from "../../../lib/buildkit/client.ts";
import { Gateway, type Wanted } from "../../../lib/buildkit/gateway.ts";
import { observed } from "../../../lib/pool.ts";

/** How a build is made, but for what it builds. */
export interface DriveOptions {
  readonly session: string;
  readonly entitlements: readonly string[];
  readonly exporters: readonly { readonly type: string; readonly attrs: Record<string, string> }[];
  /** Absent: nobody looks on. */
  readonly events?: SolveEvents;
  readonly signal: AbortSignal;
  /** What it may stand on. Absent: anything. */
  readonly policy?: Policy;
}

/** A container of a build. */
export type Container = Omit<MessageInitShape<typeof NewContainerRequestSchema>, "ContainerID" | "$typeName">;

/** Lets the daemon build, and gives what its exporters answered. @throws {ServiceError} */
export async function build(
  client: BuildkitClient,
  wanted: Wanted,
  options: DriveOptions,
): Promise<Readonly<Record<string, string>>> {
  const what = "definition" in wanted
    ? { Definition: wanted.definition }
    : { Frontend: wanted.frontend, FrontendAttrs: wanted.attrs };
  return await client.solve({ ...what, ...requestOf(options) }, options.events, options.signal);
}

/**
 * The same step by step, so that the file systems of a command that failed can be looked into: `onFailure` gets the names
 * of what its mounts show. Costs three questions more.
 *
 * @throws {ServiceError}
 */
export async function buildWatched(
  client: BuildkitClient,
  wanted: Wanted,
  options: DriveOptions,
  onFailure: (gateway: Gateway, facts: FailureFacts) => Promise<void>,
): Promise<Readonly<Record<string, string>>> {
  return await withGateway(client, options, async (gateway, answer) => {
    let result: Awaited<ReturnType<Gateway["solve"]>>;
    try {
      result = await gateway.solve(wanted, options.signal);
    } catch (error) {
      const facts = failureFacts(error);
      if (facts.exit !== undefined && facts.mounts && !options.signal.aborted) {
        await onFailure(gateway, facts);
      }
      throw error;
    }
    await gateway.finish(result);
    return await answer;
  });
}

/** Opens a build that this side leads, and ends it with the work. @throws {ServiceError} */
export async function withGateway<T>(
  client: BuildkitClient,
  options: DriveOptions,
  work: (gateway: Gateway, answer: Promise<Readonly<Record<string, string>>>) => Promise<T>,
): Promise<T> {
  const Ref = crypto.randomUUID().replaceAll("-", "");
  const over = new AbortController();
  const { events, signal } = options;
  const answer = observed(
    client.solve({ Ref, ...requestOf(options) }, events, AbortSignal.any([signal, over.signal])),
  );
  try {
    const gateway = new Gateway(client, Ref);
    await Promise.race([gateway.ready(signal), answer]);
    return await work(gateway, answer);
  } finally {
    over.abort();
    await answer.catch(() => {}); // the work has said what is wrong
  }
}

function requestOf({ session, entitlements, exporters, policy }: DriveOptions) {
  return {
    Session: session,
    Entitlements: [...entitlements],
    Exporters: exporters.map(({ type, attrs }) => ({ Type: type, Attrs: attrs })),
    ...(policy && { SourcePolicy: policy }),
  };
}
