import type { LayerPlace } from "../../../core/contract/plugin.ts";
import { authService } from "../../../lib/buildkit/attachables.ts";
import { contentService } from "../../../lib/buildkit/content.ts";
import type { Session } from "../../../lib/buildkit/session.ts";
import { memoize } from "../../../lib/memoize.ts";
import type { Environment } from "./address.ts";
import type { Daemon } from "./daemon.ts";
import { logins } from "./registry_login.ts";
import { StepExchange } from "./step_exchange.ts";

/** An image that nothing is below. */
const NOTHING = { blobs: new Map<string, never>() };

interface OpenSession {
  readonly session: Session;
  readonly exchange: StepExchange;
  users: number;
}

/** A session that several use. */
export interface SharedSession extends Disposable {
  readonly id: string;
  /** Takes what is handed over to anyone of them. */
  readonly exchange: StepExchange;
}

/**
 * One session for each daemon and repository of a run: it has logins, and takes what looks into layers find. Steps with
 * secrets or agents have sessions of their own, since whoever has a session may ask for all that is in it.
 */
export class SharedSessions implements AsyncDisposable {
  readonly #open = new Map<string, Promise<OpenSession>>();

  constructor(readonly scratch: () => Promise<string>, readonly env: Environment) {}

  /** In use until it is disposed of. */
  async take(daemon: Daemon, at: LayerPlace): Promise<SharedSession> {
    const key = `${daemon.address.text} ${at.repository.name}`;
    const opened = await memoize(this.#open, key, async () => {
      const exchange = new StepExchange(NOTHING, await this.scratch());
      const session = daemon.client.session([
        ...contentService({ export: exchange }),
        ...authService(logins(at, this.env)),
      ]);
      session.ended.then(() => this.#open.delete(key));
      return { session, exchange, users: 0 };
    });
    opened.users++;
    const { session, exchange } = opened;
    return {
      id: session.id,
      exchange,
      [Symbol.dispose]: () => {
        // Two may have been handed the same blob.
        if (--opened.users === 0) exchange.clear().catch(() => {}); // scratch goes as a whole
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.#open.values()) {
      const { session, exchange } = await opened;
      session[Symbol.dispose]();
      await exchange[Symbol.asyncDispose]();
    }
  }
}
