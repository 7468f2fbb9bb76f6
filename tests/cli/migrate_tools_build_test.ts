/** What `dapp migrate werf` and `dapp migrate dapp` make is built: files, owners and configuration inside are looked at. */
import assert from "node:assert/strict";
import type { BuiltImage } from "../../mod.ts";
import { imageTree } from "../support/image_tree.ts";
import { type FileSpec, withProject } from "../support/project.ts";
import { migratedBuild } from "./migrated_build.ts";

const BASE = "registry.example.com/base:1";

const FILES: Readonly<Record<string, FileSpec>> = {
  "package.json": '{ "name": "shop" }\n',
  "src/main.js": "main\n",
  "src/lib/part.js": "part\n",
  "web/index.html": "<h1>shop</h1>\n",
  "web/app.css": "body {}\n",
  "docs/notes.md": "no part of the image\n",
  "conf/app.conf": "listen 8080\n",
};

const WERF_SHOP = `project: shop
configVersion: 1
---
artifact: assets
from: ${BASE}
git:
- add: /web
  to: /web
  stageDependencies:
    install: ["**/*"]
shell:
  install:
  - mkdir -p /out/css && cp /web/index.html /out/index.html
  - cp /web/app.css /out/css/app.css && echo skipped > /out/skipped.map
---
image: backend
from: ${BASE}
git:
- add: /
  to: /app
  owner: nobody
  group: nogroup
  excludePaths: [docs, web, conf, werf.yaml, dappfile.yaml]
  stageDependencies:
    setup: [package.json, src/**/*]
- add: /conf/app.conf
  to: /etc/app.conf
mount:
- from: tmp_dir
  to: /scratch
- from: build_dir
  to: /cache
shell:
  beforeInstall:
  - echo one > /scratch/left-out && echo cached > /cache/left-out
  setup: |
    cat /app/src/main.js /app/src/lib/part.js > /all.js
    sed s/8080/9090/ /etc/app.conf > /etc/used.conf
import:
- artifact: assets
  add: /out
  to: /app/public
  excludePaths: ["*.map"]
  before: setup
docker:
  WORKDIR: /app
  USER: nobody
  ENV: { NODE_ENV: production, PORT: "9090" }
  EXPOSE: ["9090/tcp"]
  VOLUME: /data
  LABEL: { org.example.team: shop }
  CMD: ["cat", "/all.js"]
`;

const WERF_SMALL = `configVersion: 1
project: tools
---
image: base
from: ${BASE}
shell:
  beforeInstall: [mkdir -p /opt/tools && echo tool > /opt/tools/tool]
---
image: worker
fromImage: base
git:
- { add: /src, to: /srv, includePaths: [lib] }
shell:
  install: cp /opt/tools/tool /srv-tool
docker: { ENTRYPOINT: ["/bin/sh", "-c"], CMD: "ls /srv" }
`;

const RUBY_SHOP = `dimg_group do
  docker.from '${BASE}'

  artifact do
    git do
      add '/web' do
        to '/web'
        stage_dependencies.build_artifact '*.html'
      end
    end
    shell.build_artifact.run 'mkdir /out', 'cp /web/index.html /out/index.html'
    export '/out' do
      to '/app/public'
      after :install
    end
  end

  dimg 'app' do
    git do
      add '/' do
        to '/app'
        exclude_paths 'docs', 'web', 'Dappfile', 'dappfile.yaml', 'conf'
        owner 'nobody'
        stage_dependencies.setup 'package.json'
      end
    end
    mount '/scratch' do
      from :tmp_dir
    end
    shell do
      before_install.run 'echo left out > /scratch/file'
      setup.run 'cp /app/package.json /installed'
    end
    docker do
      workdir '/app'
      env GREETING: 'hello', 'MODE' => 'old'
      expose '8080'
      label 'org.example.team' => 'shop'
      cmd ['cat', '/installed']
    end
  end
end
`;

const RUBY_SMALL = `# two images
dimg 'api' do
  docker.from '${BASE}'
  git.add('/src').to('/srv')
  shell.install.run 'cat /srv/main.js > /seen || true', 'echo api > /name'
  docker.cmd 'sh', '-c', 'cat /name'
end

dimg 'cron' do
  docker.from '${BASE}'
  git do
    add '/conf' do
      to '/etc/cron'
      include_paths '*.conf'
    end
  end
  docker.user 'nobody'
end
`;

interface Seen {
  readonly tree: Readonly<Record<string, string>>;
  readonly config: NonNullable<BuiltImage["state"]["config"]["config"]>;
  readonly remarks: number;
}

/** Migrates, builds, and looks into the images. */
async function built(
  kind: "werf" | "dapp",
  file: string,
  text: string,
  body: (seen: (name: string) => Promise<Seen>) => Promise<void>,
): Promise<void> {
  await withProject({ ...FILES, [file]: text }, async (project) => {
    const { images, text: dappfile, remarks } = await migratedBuild(project, kind, BASE);
    await body(async (name) => {
      const image = images.find((each) => each.name === name);
      assert.ok(image, `${name} is among ${images.map((each) => each.name)}\n${dappfile}`);
      const tree = await imageTree(project.home, image.state.layers);
      return { tree, config: image.state.config.config ?? {}, remarks: remarks.length };
    });
  });
}

/** Paths of the image that the base does not have, without directories. */
function own(tree: Seen["tree"]): readonly string[] {
  return Object.entries(tree).filter(([path, text]) =>
    !text.endsWith(" /") && !/^(?:bin|etc\/(?:passwd|group))/.test(path)
  )
    .map(([path]) => path).sort();
}

Deno.test("a werf.yaml with git, artifact, import, mounts and docker is built as it says", async () => {
  await built("werf", "werf.yaml", WERF_SHOP, async (seen) => {
    const { tree, config, remarks } = await seen("backend");
    assert.equal(remarks, 0);
    assert.deepEqual(own(tree), [
      "all.js",
      "app/package.json",
      "app/public/css/app.css",
      "app/public/index.html",
      "app/src/lib/part.js",
      "app/src/main.js",
      "etc/app.conf",
      "etc/used.conf",
    ]);
    assert.equal(tree["all.js"], "644 0:0 main\npart\n");
    assert.equal(tree["app/src/main.js"], "644 65534:65534 main\n");
    assert.equal(tree["etc/used.conf"], "644 0:0 listen 9090\n");
    assert.equal(tree["app/public/index.html"], "644 0:0 <h1>shop</h1>\n");
    assert.deepEqual([config.WorkingDir, config.User, config.Cmd], ["/app", "nobody", ["cat", "/all.js"]]);
    assert.deepEqual(config.Env, ["PATH=/bin", "NODE_ENV=production", "PORT=9090"]);
    assert.deepEqual([config.ExposedPorts, config.Volumes], [{ "9090/tcp": {} }, { "/data": {} }]);
    assert.equal(config.Labels?.["org.example.team"], "shop");
  });
});

Deno.test("a werf.yaml in which one image stands on another is built as it says", async () => {
  await built("werf", "werf.yaml", WERF_SMALL, async (seen) => {
    const { tree, config } = await seen("worker");
    assert.deepEqual(own(tree), ["opt/tools/tool", "srv-tool", "srv/lib/part.js"]);
    assert.deepEqual([config.Entrypoint, config.Cmd], [["/bin/sh", "-c"], ["/bin/sh", "-c", "ls /srv"]]);
    assert.deepEqual(own((await seen("base")).tree), ["opt/tools/tool"]);
  });
});

Deno.test("a Dappfile with a group, an artifact, mounts and docker is built as it says", async () => {
  await built("dapp", "Dappfile", RUBY_SHOP, async (seen) => {
    const { tree, config, remarks } = await seen("app");
    assert.equal(remarks, 0);
    assert.deepEqual(own(tree), [
      "app/package.json",
      "app/public/index.html",
      "app/src/lib/part.js",
      "app/src/main.js",
      "installed",
    ]);
    assert.match(tree["app/src/main.js"]!, /^644 65534:\d+ main\n$/);
    assert.equal(tree["installed"], '644 0:0 { "name": "shop" }\n');
    assert.deepEqual([config.WorkingDir, config.Cmd], ["/app", ["cat", "/installed"]]);
    assert.deepEqual(config.Env, ["PATH=/bin", "GREETING=hello", "MODE=old"]);
    assert.deepEqual(config.ExposedPorts, { "8080/tcp": {} });
    assert.equal(config.Labels?.["org.example.team"], "shop");
  });
});

Deno.test("a Dappfile with two images and short forms is built as it says", async () => {
  await built("dapp", "Dappfile", RUBY_SMALL, async (seen) => {
    const api = await seen("api");
    assert.deepEqual(own(api.tree), ["name", "seen", "srv/lib/part.js", "srv/main.js"]);
    assert.deepEqual(api.config.Cmd, ["sh", "-c", "cat /name"]);
    const cron = await seen("cron");
    assert.deepEqual(own(cron.tree), ["etc/cron/app.conf"]);
    assert.equal(cron.config.User, "nobody");
  });
});
