/** Answers of registries, right and wrong ones. */

/** Bytes with support for `Range: bytes=N-`. */
export function blobResponse(request: Request, bytes: Uint8Array): Response {
  const from = /^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1];
  const offset = Number(from ?? 0);
  if (from !== undefined && offset >= bytes.length) return new Response(null, { status: 416 });
  const part = bytes.subarray(offset);
  const headers: Record<string, string> = { "content-length": String(part.length) };
  if (from !== undefined) headers["content-range"] = `bytes ${offset}-${bytes.length - 1}/${bytes.length}`;
  const body = request.method === "HEAD" ? null : part as BodyInit;
  return new Response(body, { status: from === undefined ? 200 : 206, headers });
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
export function failure(status: number, code: string, headers: Record<string, string> = {}): Response {
  return Response.json({ errors: [{ code, message: code.toLowerCase().replaceAll("_", " "), detail: {} }] }, {
    status,
    headers,
  });
}
