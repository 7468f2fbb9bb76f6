/** Writes all of `bytes` at the file's position. A page-cache write is quicker than handing it to a thread. */
export function writeAllSync(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}
