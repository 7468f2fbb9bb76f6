/** Requests to what a registry has on its own host beside `/v2/`, with the registry's own login. */
import { readBody } from "../../lib/registry/body.ts";
import type { RegistryClient, RegistryRequest } from "../../lib/registry/client.ts";
import type { HttpResponse } from "../../lib/registry/http.ts";

/** Largest page of a list, in bytes. */
const MAX_PAGE = 64 << 20;

/** An answer, read as a whole. */
export interface TextAnswer {
  readonly status: number;
  readonly text: string;
}

/** A path below the root of the registry's host, for requests of a client, which appends paths to "/v2/". */
export function besideV2(path: string): string {
  return `../${path}`;
}

/** Sends a request and reads the whole answer. @throws {RegistryError} */
export async function requestText(client: RegistryClient, request: RegistryRequest): Promise<TextAnswer> {
  const response: HttpResponse = await client.request({ ...request, reads: MAX_PAGE });
  const text = new TextDecoder().decode(await readBody(response, MAX_PAGE));
  return { status: response.status, text };
}
