/** The work that every tool does: a five-stage image on a Debian base, from 2,000 files in git. */
import { run } from "../tests/support/process.ts";

const FILES = 2_000;
/** 2,000 times this is 10 MB. */
const FILE_BYTES = 5_000;
/** 50 MB in 2,000 files. Incompressible by a quarter only, as base64 is. */
const DATA_STEP =
  "mkdir /data && cd /data && head -c 37500000 /dev/urandom | base64 -w 0 | split -b 25000 -a 4 -d - f";
const MANIFEST_STEP =
  "find /app -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum > /manifest.txt";

/** A git repository that holds both a dappfile and a Dockerfile of the same image; `.git` is outside the context. */
export async function createProject(dir: string, base: { layout: string; image: string }): Promise<void> {
  for (let i = 0; i < FILES; i++) {
    if (i % 100 === 0) await Deno.mkdir(`${dir}/src/part${i / 100}`, { recursive: true });
    await Deno.writeTextFile(fileName(dir, i), content(i));
  }
  await Deno.writeTextFile(`${dir}/.dockerignore`, ".git\n");
  await Deno.writeTextFile(
    `${dir}/Dockerfile`,
    `FROM ${base.image}
RUN ${DATA_STEP}
COPY . /app
RUN ${MANIFEST_STEP}
ENV MODE=production
CMD ["cat", "/manifest.txt"]
`,
  );
  await Deno.writeTextFile(
    `${dir}/dappfile.yaml`,
    `dimg: app
from: oci:${base.layout}:latest
git:
  - add: /
    to: /app
    stageDependencies: { setup: ["**/*"] }
shell:
  beforeInstall:
    - ${DATA_STEP}
  setup:
    - ${MANIFEST_STEP}
docker:
  ENV: { MODE: production }
  CMD: [cat, /manifest.txt]
`,
  );
  await git(dir, "init", "--quiet", "--initial-branch=main");
  await commit(dir, "Start");
  await git(dir, "gc", "--quiet"); // as in a fresh clone: one pack
}

/** A project whose only stage shows that the base is local and ready to be built on. */
export async function createWarmUp(dir: string, base: { layout: string; image: string }): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  await Deno.writeTextFile(`${dir}/Dockerfile`, `FROM ${base.image}\nRUN true\n`);
  const dappfile = `dimg: warm\nfrom: oci:${base.layout}:latest\nshell: { beforeInstall: [touch /warm] }\n`;
  await Deno.writeTextFile(`${dir}/dappfile.yaml`, dappfile);
  await git(dir, "init", "--quiet", "--initial-branch=main");
  await commit(dir, "Start");
}

/** Changes one file and commits it. */
export async function changeOneFile(dir: string, nth: number): Promise<void> {
  await Deno.writeTextFile(fileName(dir, 1234), `changed ${nth}\n${content(1234)}`);
  await commit(dir, `Change ${nth}`);
}

function fileName(dir: string, i: number): string {
  return `${dir}/src/part${Math.floor(i / 100)}/file${i}.txt`;
}

/** Text of FILE_BYTES bytes, the same on every machine, compressible like source code. */
function content(i: number): string {
  let state = i + 1;
  let text = "";
  while (text.length < FILE_BYTES) {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    text += `${state % 3 === 0 ? "const" : "value"}_${(state >>> 16).toString(36)} = ${state >>> 24};\n`;
  }
  return text.slice(0, FILE_BYTES);
}

async function commit(dir: string, message: string): Promise<void> {
  await git(dir, "add", "--all");
  await git(dir, "commit", "--quiet", `--message=${message}`);
}

async function git(dir: string, ...args: string[]): Promise<void> {
  const who = ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false"];
  await run(["git", "-C", dir, ...who, "-c", "gc.auto=0", ...args], {
    env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
  });
}
