/** Answers of registries, right and wrong ones. */

/** Bytes with support for `Range: bytes=N-` and `bytes=N-M`. */
export function blobResponse(request: Request, bytes: Uint8Array): Response {
  const [range, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "") ?? [];
  const offset = Number(from ?? 0);
  if (range !== undefined && offset >= bytes.length) return new Response(null, { status: 416 });
  const part = bytes.subarray(offset, to ? Number(to) + 1 : bytes.length);
  const headers: Record<string, string> = { "content-length": String(part.length) };
  if (range !== undefined) {
    headers["content-range"] = `bytes ${offset}-${offset + part.length - 1}/${bytes.length}`;
  }
  const body = request.method === "HEAD" ? null : part as BodyInit;
  return new Response(body, { status: range === undefined ? 200 : 206, headers });
}

/** An answer without the body that it promises. */
export function brokenOff({ status, headers }: Response): Response {
  const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error("cut")) });
  return new Response(body, { status, headers });
}

/** An answer that promises all of `bytes` and breaks off after `count`. */
export function cutResponse(bytes: Uint8Array, count: number): Response {
  let sent = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent) return controller.error(new Error("cut"));
      sent = true;
      controller.enqueue(bytes.subarray(0, count));
    },
  });
  return new Response(body, { headers: { "content-length": String(bytes.length) } });
}

/** An error answer of the distribution specification. */
export function failure(
  status: number,
  code: string,
  headers: Record<string, string> = {},
  message: string = code.toLowerCase().replaceAll("_", " "),
): Response {
  return Response.json({ errors: [{ code, message, detail: {} }] }, {
    status,
    headers,
  });
}
