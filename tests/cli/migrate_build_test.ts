/** What `dapp migrate dockerfile` makes is built, and is what buildah makes of the Dockerfile. */
import assert from "node:assert/strict";
import type { BuiltImage } from "../../mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { imageTree } from "../support/image_tree.ts";
import { isRoot, peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { type FileSpec, withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { migratedBuild } from "./migrated_build.ts";

const BASE = "localhost/base:1";

const files: Readonly<Record<string, FileSpec>> = {
  "package.json": "{}\n",
  "package-lock.json": "[]\n",
  "notes.md": "no part of the image\n",
  "src/main.js": "main\n",
  "src/lib/part.js": "part\n",
  "src/lib/part.test.js": "left out\n",
  "bin/start": { text: "#!/bin/sh\necho started\n", mode: 0o755 },
  "conf/a.conf": "a\n",
  "conf/b.conf": "b\n",
  "node_modules/x/index.js": "left out\n",
  ".dockerignore": "# what is not sent\n.git\n/node_modules\n*.md\n**/*.test.js\n",
};

/** Dockerfiles that are told in a dappfile's own words. */
const dockerfiles: Readonly<Record<string, string>> = {
  "the usual order: packages, their list, their installation, the rest": `
FROM ${BASE}
# what it runs with
ENV NODE_ENV=production GREETING="hello world"
WORKDIR /app
COPY package*.json ./
RUN cat package.json package-lock.json > installed \\
    && echo "two  spaces \\
 and a joined line" >> installed
COPY . .
EXPOSE 8080 53/udp
LABEL a=b "c d"='e f'
USER nobody
CMD ["node", "src/main.js"]
`,
  "stages, with files of the first in the last": `# syntax=docker/dockerfile:1
FROM ${BASE} AS build
WORKDIR /src
COPY src ./
COPY conf/a.conf conf/b.conf /etc/app/
RUN mkdir -p out/sub; cat main.js lib/part.js > out/all.js; cp /etc/app/a.conf out/sub/a.conf; \\
  # a comment between
  echo 'quoted  "text"' > out/quoted.txt

FROM ${BASE}
WORKDIR /srv
RUN mkdir kept && cd kept && echo "$PWD" > where
COPY --from=build /src/out/ ./public/
COPY --from=build /etc/app/b.conf ./b.conf
ENTRYPOINT ["sh"]
CMD ["-c", "ls /srv"]
STOPSIGNAL SIGINT
`,
  "owners, modes, directories into directories, and the escape of Windows": `# escape=\`
FROM ${BASE}
WORKDIR /data
COPY --chown=65534:65534 src ./src
COPY --chown=nobody:nogroup conf ./
COPY bin/start /usr/local/bin/
RUN /usr/local/bin/start > /started ` +
    "`\n    && ls -ln /data/src | cut -c1-40 > /seen\n" + `VOLUME /data/volume
HEALTHCHECK --interval=30s --retries=2 CMD test -f /started
`,
  "commands that share a shell, and variables of commands": `
FROM ${BASE}
ENV A=one
RUN cd /tmp && B=two; echo "$A $B" > /values; umask 077; echo secret > /private
RUN echo "$PWD" > /where; false || echo recovered > /recovered
MAINTAINER somebody
SHELL_AS_TEXT
`.replace("SHELL_AS_TEXT", "CMD echo $A"),
  "arguments of FROM and of stages, and variables with a value that is sure": `
ARG VERSION=1 HOST=localhost
ARG NAME=\${HOST}/base
FROM \${NAME}:\$VERSION AS made
RUN echo "[$VERSION]" > /unseen
ARG VERSION
ARG QUOTED="it's \\"} two"
RUN echo "$VERSION $QUOTED" > /seen && PATH=/none
ARG PATH=/hidden/by/the/image
ENV VERSION=of-env
RUN echo "$VERSION $(ls / | head -n 1)" > /of-env

FROM \$NAME:\${VERSION:-2}
ENV HOME_DIR=/srv/app
WORKDIR \$HOME_DIR
COPY --from=made /unseen unseen
COPY --from=made /seen ./seen
COPY --from=made /of-env of-env
EXPOSE 80 \
  81
LABEL at="\${HOME_DIR}/x"
`.replaceAll("\\$", "$"),
  "directories that nothing but WORKDIR makes, and words with spaces": `
FROM ${BASE}
WORKDIR /one/two/
WORKDIR three
WORKDIR /made-last
HEALTHCHECK --timeout=5s CMD test  -f \\
   /started
ENTRYPOINT sh  -c "a   b"
CMD one   two
`,
  "what a command leaves in its shell is nobody else's": `
FROM ${BASE}
RUN X=5 && echo "$X" > /first
RUN Y=$(echo a b)
RUN echo "[$X$Y]" > /second; readonly Z=1
RUN Z=2 && read X < /etc/passwd && echo "$Z $X" > /third
RUN ulimit -n 100 && PATH=/bin true
RUN f() { echo f; }; f > /fourth
RUN : \${X:=1} && ls /first > /fifth
RUN echo "[$X]" > /sixth && test "$(ulimit -n)" != 100
`,
};

/** What of a configuration a Dockerfile decides. */
function decided(
  { Env, Cmd, Entrypoint, WorkingDir, User, ExposedPorts, Labels, Volumes, StopSignal, Healthcheck }: Record<
    string,
    unknown
  >,
) {
  const labels = Object.entries(Labels ?? {}).filter(([name]) => !/^(io\.buildah|dapp|io\.dapp)/.test(name));
  return JSON.parse(JSON.stringify({
    // An order, and an empty list, of no meaning.
    Env: Array.isArray(Env) ? Env.toSorted() : [],
    Cmd: Cmd ?? null,
    Entrypoint: Array.isArray(Entrypoint) && Entrypoint.length > 0 ? Entrypoint : null,
    WorkingDir: WorkingDir || "/",
    User: User || "",
    ExposedPorts: ExposedPorts ?? {},
    Labels: Object.fromEntries(labels),
    Volumes: Volumes ?? {},
    StopSignal: StopSignal || "",
    Healthcheck: Healthcheck ?? null,
  }));
}

interface Seen {
  readonly tree: Readonly<Record<string, string>>;
  readonly config: unknown;
}

async function builtBy(buildah: string, dir: string, layout: string, work: string): Promise<Seen> {
  const storage = `[vfs@${work}/bs+${work}/br]${BASE}`;
  await run(["skopeo", "copy", "--quiet", `oci:${layout}:latest`, `containers-storage:${storage}`]);
  const own = [buildah, "--root", `${work}/bs`, "--runroot", `${work}/br`, "--storage-driver", "vfs"];
  await run([
    ...own,
    "build",
    "--format=docker",
    "--isolation=chroot",
    "--network=host",
    "--quiet",
    "--tag",
    "made",
    dir,
  ]);
  await run([...own, "push", "--quiet", "localhost/made", `dir:${work}/image`]);
  await Deno.mkdir(`${work}/blobs`);
  await Deno.rename(`${work}/image`, `${work}/blobs/sha256`);
  const read = async (name: string) => JSON.parse(await Deno.readTextFile(`${work}/blobs/sha256/${name}`));
  const { layers, config } = await read("manifest.json");
  return {
    tree: await imageTree(work, layers),
    config: decided((await read(config.digest.slice(7))).config),
  };
}

function seenOf(home: string, { state }: BuiltImage): Promise<Seen> {
  return imageTree(home, state.layers).then((tree) => ({
    tree,
    config: decided({ ...state.config.config }),
  }));
}

/** Without the places where buildah mounts something while commands run. */
function ofFiles(tree: Seen["tree"]): Seen["tree"] {
  return Object.fromEntries(
    Object.entries(tree).filter(([path]) =>
      !/^((run|proc|sys|dev)(\/|$)|etc\/(hostname|hosts|resolv\.conf)$)/.test(path)
    ),
  );
}

for (const [name, dockerfile] of Object.entries(dockerfiles)) {
  Deno.test(`what migrate makes of a Dockerfile builds the image that buildah builds: ${name}`, async () => {
    const tools = await Promise.all(["buildah", "skopeo"].map(peer));
    if (tools.includes(undefined) || !isRoot()) return;
    await withProject({ ...files, Dockerfile: dockerfile }, async (project) => {
      const { dir, home } = project;
      const { text, images } = await migratedBuild(project, "dockerfile", BASE);
      assert.match(text, /^from: /m);
      const ours = await seenOf(home, images.find(({ kind }) => kind === "dimg")!);
      await withTempDir(async (work) => {
        await Deno.remove(`${dir}/dappfile.yaml`);
        const theirs = await builtBy(tools[0]!, dir, await busyboxBase(), work);
        assert.deepEqual(ours.config, theirs.config);
        assert.deepEqual(ofFiles(ours.tree), ofFiles(theirs.tree));
      });
    });
  });
}
