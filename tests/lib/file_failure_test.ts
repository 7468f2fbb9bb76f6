import assert from "node:assert/strict";
import { withTempDir } from "../support/tmp.ts";
import { atPath, fileFailureIn, fileFailureOf, isFull, whyFailed } from "../../lib/file_failure.ts";
import { EngineError, explained, messageOf } from "../../core/contract/errors.ts";

/** A failure of the system itself, as Deno reports it. */
async function failureOf(action: () => unknown): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  throw new Error("It did not fail");
}

function writeFull(): void {
  using file = Deno.openSync("/dev/full", { write: true });
  file.writeSync(new Uint8Array(1));
}

Deno.test("fileFailureOf() finds full disks behind any number of causes, with the path that is known", async () => {
  const bare = await failureOf(writeFull);
  assert.deepEqual(fileFailureOf(bare), { kind: "full", why: "no space is left on its file system" });
  const named = await failureOf(() => atPath("/data/x", () => Promise.resolve().then(writeFull)));
  assert.equal(messageOf(named), '"/data/x": no space is left on its file system');
  const outer = new Error("outer", { cause: new Error("inner", { cause: named }) });
  assert.equal(fileFailureOf(outer)?.path, "/data/x");
  assert.ok(isFull(outer));
  const own = await failureOf(() => Deno.writeTextFile("/dev/full", "x"));
  assert.deepEqual(fileFailureOf(own), { kind: "full", path: "/dev/full", why: fileFailureOf(bare)!.why });
});

Deno.test("fileFailureOf() leaves other failures alone, also where they are their own cause", async () => {
  assert.equal(fileFailureOf(await failureOf(() => Deno.readTextFile("/absent/file"))), undefined);
  assert.equal(fileFailureOf(new TypeError("x is not a function")), undefined);
  assert.equal(fileFailureOf("ENOSPC"), undefined);
  const round = new Error("round");
  round.cause = round;
  assert.equal(fileFailureOf(round), undefined);
  const other = new TypeError("no");
  assert.equal(await failureOf(() => atPath("/x", () => Promise.reject(other))), other);
});

Deno.test("explained() and EngineError.fix say what helps against each failure of files", async (t) => {
  const cases: readonly (readonly [code: string, message: RegExp, fix: RegExp])[] = [
    ["ENOSPC", /no space is left/, /^Free space or inodes on the file system of "\/data"/],
    ["EDQUOT", /quota of this user/, /^Free space on the file system of "\/data".*quota raised/],
    ["EROFS", /read-only/, /mounted writable/],
    ["EMFILE", /too many files open/, /ulimit -n/],
    ["ENFILE", /machine has too many files open/, /fs\.file-max/],
    ["EACCES", /this user may not/, /right to "\/data"/],
    ["EIO", /does not answer rightly/, /dmesg/],
  ];
  for (const [code, message, fix] of cases) {
    await t.step(code, async () => {
      const system = Object.assign(new Error(`Said by the system (os error 1)`), { code });
      const named = await failureOf(() => atPath("/data", () => Promise.reject(system)));
      const error = explained(named);
      assert.ok(error instanceof EngineError);
      assert.equal(error.code, "FILES_FAILED");
      assert.match(error.message, new RegExp(`^Cannot use "/data": .*${message.source}`));
      assert.match(error.fix, fix);
      const inner = new EngineError("EXPORT_FAILED", "Cannot export", { cause: named });
      assert.equal(explained(inner), inner);
      assert.match(inner.fix, fix);
      // Who knows better than "you may not" says so; against a full disk nothing else helps.
      const advised = new EngineError("DOCKER_FAILED", "Cannot reach it", { cause: named, fix: "Start it" });
      assert.match(advised.fix, code === "EACCES" ? /^Start it$/ : fix);
    });
  }
  const bug = new TypeError("x is not a function");
  assert.equal(explained(bug), bug);
});

Deno.test("explained() says that no more processes may be started, and nothing of other things that are not ready", () => {
  const failure = (message: string) =>
    Object.assign(new Deno.errors.WouldBlock(`${message}: Resource temporarily unavailable (os error 11)`), {
      code: "EAGAIN",
    });
  const error = explained(failure("Failed to spawn '/usr/bin/git'"));
  assert.ok(error instanceof EngineError);
  assert.equal(error.message, 'Cannot use "/usr/bin/git": no more processes may be started here');
  assert.match(error.fix, /ulimit -u/);
  const lock = failure("lock");
  assert.equal(explained(lock), lock);
});

Deno.test("explained() names a file that is not there, when nobody expected that", async () => {
  const thrown = await failureOf(() => Deno.readTextFile("/store/run/1/result"));
  const error = explained(thrown);
  assert.ok(error instanceof EngineError);
  assert.equal(error.code, "FILES_FAILED");
  assert.equal(error.message, 'Cannot use "/store/run/1/result": it is not there');
  assert.match(error.fix, /run the command again/);
  const bare = new Deno.errors.NotFound("no such thing");
  assert.equal(explained(bare), bare);
});

Deno.test("explained() names the program that may not be started", async () => {
  const error = explained(await failureOf(() => new Deno.Command("/etc/passwd").spawn()));
  assert.equal(messageOf(error), 'Cannot use "/etc/passwd": this user may not do that there');
});

Deno.test("fileFailureIn() reads what tools print", () => {
  const kinds = [
    ["fatal: write error: No space left on device", "full"],
    ["error: unable to create temporary file: Disk quota exceeded", "quota"],
    ["fatal: could not create work tree dir 'x': Read-only file system", "read-only"],
    ["error: cannot open .git/FETCH_HEAD: Too many open files", "limit"],
    ["fatal: repository not found", undefined],
  ] as const;
  for (const [text, kind] of kinds) assert.equal(fileFailureIn(text)?.kind, kind, text);
});

Deno.test("what the system says with a number is told in words, with the file once", async (t) => {
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    await Deno.mkdir(`${dir}/full/below`, { recursive: true });
    await Deno.symlink("round", `${dir}/round`);
    const long = "x".repeat(300);
    const cases: readonly (readonly [() => unknown, file: string, why: string])[] = [
      [() => Deno.open(`${dir}/gone`), `${dir}/gone`, "it is not there"],
      [() => Deno.readTextFile(dir), dir, "it is a directory"],
      [() => Deno.writeTextFile(`${dir}/full`, ""), `${dir}/full`, "it is a directory"],
      [() => Deno.open(`${dir}/file/x`), `${dir}/file/x`, "a part of its path is no directory"],
      [() => Deno.mkdir(`${dir}/full`), `${dir}/full`, "it is there already"],
      [() => Deno.remove(`${dir}/full`), `${dir}/full`, "the directory is not empty"],
      [() => Deno.open(`${dir}/round`), `${dir}/round`, "its symbolic links lead in a circle"],
      [() => Deno.open(`${dir}/${long}`), `${dir}/${long}`, "a name in it is too long"],
      [() => Deno.connect({ transport: "unix", path: `${dir}/file` }), "", "nobody listens there"],
      [() => Deno.rename(`${dir}/gone`, `${dir}/there`), `${dir}/there`, "it is not there"],
      [() => new Deno.Command(`${dir}/file`).spawn(), `${dir}/file`, "this user may not do that there"],
    ];
    for (const [action, file, why] of cases) {
      await t.step(why, async () => {
        const error = await failureOf(action);
        assert.match((error as Error).message, / \(os error \d+\)/);
        assert.equal(whyFailed(error), why);
        assert.equal(messageOf(error), file === "" ? why : `"${file}": ${why}`);
      });
    }
  });
});

Deno.test("what has no words yet loses its number, and other failures stay as they are", () => {
  const odd = Object.assign(new Error("Odd thing (os error 999): open '/a'"), { code: "EODD" });
  assert.equal(whyFailed(odd), "Odd thing");
  assert.equal(messageOf(odd), "Odd thing: open '/a'");
  assert.equal(whyFailed(new Error("no: open '/a'")), "no: open '/a'");
  assert.equal(messageOf(new Error("no: open '/a'")), "no: open '/a'");
  assert.equal(whyFailed("text"), "text");
});
