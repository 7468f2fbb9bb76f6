/** Lets the system refuse to flush files or directories to the disk, until it is disposed of. */
export function failingFlush(what: "file" | "directory"): Disposable {
  const { sync } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.sync = async function () {
    if ((await this.stat()).isDirectory === (what === "directory")) {
      throw Object.assign(new Error("Input/output error (os error 5)"), { code: "EIO" });
    }
    await sync.call(this);
  };
  return { [Symbol.dispose]: () => void (Deno.FsFile.prototype.sync = sync) };
}
