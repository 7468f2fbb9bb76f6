/** The seccomp filter, decided by a model of the kernel's machine for every call of every architecture. */
import assert from "node:assert/strict";
import { type Instruction, seccompFilter } from "../../plugins/builder/native/seccomp.ts";
import { allowedNumbers, type Machine, syscallNumber } from "../../plugins/builder/native/syscalls.ts";

const ARCHES: Readonly<Record<Machine, number>> = {
  x86_64: 0xc000003e,
  i386: 0x40000003,
  aarch64: 0xc00000b7,
  arm: 0x40000028,
};
const ERRNO = { EPERM: 1, ENOSYS: 38 } as const;

/** Runs a filter as the kernel does (linux/filter.h): "allow", or the name of the error. */
function decide(
  filter: readonly Instruction[],
  arch: number,
  nr: number,
  args: readonly number[] = [],
): string {
  const words = [nr, arch, 0, 0, ...Array.from({ length: 6 }, (_, i) => [args[i] ?? 0, 0xdeadbeef]).flat()];
  let value = 0;
  for (let at = 0, steps = 0;; at++) {
    assert.ok(++steps < 1000 && at < filter.length, "the filter does not end");
    const [code, jt, jf, k] = filter[at]!;
    switch (code) {
      case 0x20:
        value = words[k / 4]! >>> 0;
        break;
      case 0x54:
        value = (value & k) >>> 0;
        break;
      case 0x05:
        at += k;
        break;
      case 0x15:
        at += value === k ? jt : jf;
        break;
      case 0x35:
        at += value >= k ? jt : jf;
        break;
      case 0x06: {
        if (k === 0x7fff0000) return "allow";
        const error = Object.entries(ERRNO).find(([, number]) => (k & 0xffff) === number);
        assert.ok(k >>> 16 === 5 && error, `${k}`);
        return error[0];
      }
      default:
        assert.fail(`code ${code}`);
    }
  }
}

for (const machine of ["x86_64", "aarch64"] as const) {
  const filter = seccompFilter(machine);
  const small = machine === "x86_64" ? "i386" : "arm";

  Deno.test(`the filter of ${machine} allows what its table allows, and nothing else`, () => {
    assert.ok(filter.length < 4096, "the kernel takes no more");
    for (const  of of[machine, small] as const) {
      const allowed = new Set(allowedNumbers(of));
      const special = new Set(
        ["socket", "personality", "clone", "clone3", "ioctl"].map((name) => syscallNumber(name, of)),
      );
      for (let nr = 0; nr < 1200; nr++) {
        if (special.has(nr)) continue;
        const wanted = allowed.has(nr) ? "allow" : nr > 466 ? "ENOSYS" : "EPERM";
        assert.equal(decide(filter, ARCHES[of], nr), wanted, `${of} ${nr}`);
      }
      for (const name of ["mount", "unshare", "keyctl", "pivot_root", "mount_setattr", "umount2"]) {
        assert.equal(decide(filter, ARCHES[of], syscallNumber(name, of)), "EPERM", `${of} ${name}`);
      }
    }
  });

  Deno.test(`the filter of ${machine} looks at arguments, whatever stands in their upper halves`, () => {
    for (const  of of[machine, small] as const) {
      const call = (name: string, ...args: number[]) =>
        decide(filter, ARCHES[of], syscallNumber(name, of), args);
      for (const family of [1, 2, 10, 16, 17, 44]) assert.equal(call("socket", family), "allow", `${family}`);
      for (const family of [12, 19, 23, 38, 40, 46, 255, 0xffffffff]) {
        assert.equal(call("socket", family), "EPERM");
      }
      for (const value of [0, 8, 0x20000, 0x20008, 0xffffffff]) {
        assert.equal(call("personality", value), "allow");
      }
      for (const value of [1, 0x40000, 0x20001, 0xfffffffe]) {
        assert.equal(call("personality", value), "EPERM");
      }
      assert.equal(call("clone", 17), "allow");
      assert.equal(call("clone", 0x3d0f00), "allow"); // a thread
      for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
        assert.equal(call("clone", flag | 17), "EPERM", flag.toString(16));
      }
      assert.equal(call("clone3"), "ENOSYS");
      assert.equal(call("ioctl", 0, 0x5401), "allow");
      for (const request of [0x5412, 0x541c]) assert.equal(call("ioctl", 0, request), "EPERM");
    }
  });

  Deno.test(`the filter of ${machine} knows no other architecture`, () => {
    for (const [of, arch] of Object.entries(ARCHES)) {
      if (of === machine || of === small) continue;
      for (const nr of [0, 1, 60, 100]) assert.equal(decide(filter, arch, nr), "ENOSYS");
    }
    // x32: the architecture of x86_64 with a bit in the number
    if (machine === "x86_64") {
      for (const nr of [0, 39, 165, 272, 512]) {
        assert.equal(decide(filter, ARCHES.x86_64, 0x40000000 + nr), "ENOSYS");
      }
    }
  });
}

Deno.test("numbers of system calls are those of the kernel's headers", async (t) => {
  if (Deno.build.arch !== "x86_64") return;
  for (const [machine, file] of [["x86_64", "unistd_64.h"], ["i386", "unistd_32.h"]] as const) {
    const text = await Deno.readTextFile(`/usr/include/x86_64-linux-gnu/asm/${file}`).catch(() => undefined);
    if (text === undefined) {
      assert.notEqual(Deno.env.get("DAPP_REQUIRE_PEERS"), "1", "the package linux-libc-dev is not installed");
      continue;
    }
    await t.step(machine, () => {
      let compared = 0;
      for (const [, name, number] of text.matchAll(/#define __NR_(\w+) (\d+)/g)) {
        const known = knownNumber(name!, machine);
        if (known === undefined) continue; // a step may not make it
        assert.equal(known, Number(number), name!);
        compared++;
      }
      assert.ok(compared > 300, `${compared}`);
    });
  }
});

function knownNumber(name: string, machine: Machine): number | undefined {
  try {
    return syscallNumber(name, machine);
  } catch {
    return undefined;
  }
}
