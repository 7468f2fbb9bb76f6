/** Environment variables by name. */
export type { Environment as Env } from "../environment.ts";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Pieces have to be good until the next is asked for. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** Longest wait for the answer after all is sent, in milliseconds. @default 60000 */
  readonly answerMs?: number;
  /** No more than a small document goes out or comes back. @default false */
  readonly small?: boolean;
  /** May be sent again when nobody knows whether it has arrived. @default true for GET and HEAD */
  readonly repeatable?: boolean;
  /** It fetches a token for another request. @default false */
  readonly login?: boolean;
  readonly signal: AbortSignal;
}

/** An answer whose body must be read or discarded. */
export interface HttpResponse {
  readonly status: number;
  /** Where it came from, after redirects. */
  readonly url: URL;
  /** Each piece is good until the next is asked for. */
  readonly body: AsyncIterable<Uint8Array>;
  /** All of the body, where it has come already; whoever takes it leaves `body` alone. */
  readonly whole?: Uint8Array;
  /** It says 404 with a page of somebody who stands before the registry. */
  readonly page?: true;
  /** A header by its lower-case name; several lines are joined by ", ". */
  header(name: string): string | undefined;
  /** Throws the body away so that the connection can be used again. */
  discard(): Promise<void>;
}
