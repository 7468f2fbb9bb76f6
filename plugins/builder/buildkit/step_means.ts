import type { BuilderRequest, LayerPlace, StepIo } from "../../../core/contract/plugin.ts";
import { authService, secretService, sshService } from "../../../lib/buildkit/attachables.ts";
import { contentService } from "../../../lib/buildkit/content.ts";
import type { Session } from "../../../lib/buildkit/session.ts";
import type { Environment } from "./address.ts";
import type { Daemon } from "./daemon.ts";
import type { LayerLooks } from "./layer_looks.ts";
import type { LayerPress } from "./layer_press.ts";
import type { LayerShelf } from "./layer_shelf.ts";
import { logins } from "./registry_login.ts";
import type { SharedSessions } from "./shared_sessions.ts";
import type { StepExchange } from "./step_exchange.ts";
import { STORE } from "./step_plan.ts";

/** What steps of a run have in common, whatever daemon runs them. */
export interface StepMeans {
  readonly platform: BuilderRequest["platform"];
  readonly env: Environment;
  /** Names this run, for what ends with it. */
  readonly run: string;
  readonly shelf: LayerShelf;
  readonly press: LayerPress;
  readonly looks: LayerLooks;
  readonly sessions: SharedSessions;
  /** A directory for what goes with the run. */
  scratch(): Promise<string>;
}

/** A session for one step: the daemon reads and leaves blobs, and asks for secrets, agents and the logins of `at`. */
export function openSession(
  { client }: Daemon,
  exchange: StepExchange,
  { secret, sshAgent }: Pick<StepIo, "secret" | "sshAgent">,
  login?: { readonly at: LayerPlace; readonly env: Environment },
): Session {
  return client.session([
    ...contentService({ [`oci:${STORE}`]: exchange, export: exchange }),
    ...authService(login ? logins(login.at, login.env) : () => Promise.resolve(undefined)),
    ...secretService((id) => secret?.(id)),
    ...sshService((id) => sshAgent?.(id)),
  ]);
}
