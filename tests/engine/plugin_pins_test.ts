/** Plugins from elsewhere: what dappfile.lock says of them is compared before they run. */
import assert from "node:assert/strict";
import { makeCertificates } from "../support/certificates.ts";
import { openDapp } from "../support/dapp_program.ts";
import { withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";

const STAGE = "dimg: app\nfrom: scratch\nshell: { installCacheVersion: 1 }\n";

/** Without names of dapp: a package finds them only where it depends on it. */
const plugin = (value: string, rights = "{}") =>
  `export default {
  name: "inputs-there",
  api: 1,
  optionsSchema: () => Promise.resolve(undefined),
  rights: () => Promise.resolve(${rights}),
  load: () => Promise.resolve({ stageInputs: () => [{ key: "value", value: ${value} }] }),
};
`;

Deno.test("a plugin from https is pinned with all that it loads, and compared before it runs", async () => {
  await withTempDir(async (certs) => {
    const made = await makeCertificates(certs);
    if (!made) return;
    await Deno.writeTextFile(`${certs}/ca.pem`, made.ca);
    let text = plugin("word", `{ hosts: ["a.example"] }`);
    let word = `export const word = "one";`;
    await using server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {}, ...made.server },
      (request) => {
        const { pathname } = new URL(request.url);
        const body = pathname === "/p.js" ? `import { word } from "./word.js";\n${text}` : word;
        return new Response(body, { headers: { "content-type": "text/javascript" } });
      },
    );
    const url = `https://127.0.0.1:${server.addr.port}/p.js`;
    const env = { DENO_CERT: `${certs}/ca.pem` };
    await withProject(
      { "dappfile.yaml": `project: shop\nplugins: ["${url}"]\n---\n${STAGE}` },
      async (project) => {
        await using a = await openDapp(project, { env });
        await using b = await openDapp(project, { env });

        const before = await a.json("plugin", "list");
        assert.equal(before.data.error?.code, "PLUGIN_NOT_PINNED");
        assert.match(
          before.data.error!.message,
          /^Cannot load plugin "https:.*p\.js": dappfile\.lock does not say/,
        );

        const locked = await a.json("plugin", "lock");
        assert.deepEqual(locked.data.plugins, [{
          use: url,
          change: "added",
          rights: { hosts: ["a.example"] },
        }]);
        const lock = JSON.parse(await Deno.readTextFile(`${project.dir}/dappfile.lock`));
        assert.deepEqual(
          Object.keys(lock.plugins[url].modules.remote).map((each) => new URL(each).pathname).sort(),
          ["/p.js", "/word.js"],
        );

        const list = await a.json("plugin", "list");
        const found = list.data.plugins?.find(({ name }) => name === "inputs-there");
        assert.deepEqual([found?.from, found?.rights], [url, { hosts: ["a.example"] }]);

        // Another machine, where nothing was fetched yet, and the server has something else.
        word = `export const word = "two";`;
        const changed = await b.json("plugin", "list");
        assert.equal(changed.data.error?.code, "PLUGIN_CHANGED");
        assert.match(
          changed.data.error!.message,
          /^Cannot load plugin "https:.*p\.js": "https:.*word\.js" is not what dappfile\.lock says, expected is [0-9a-f]{64}, found [0-9a-f]{64}$/,
        );
        assert.match(changed.data.error!.fix, /dapp plugin lock --update$/);
        assert.equal((await a.json("plugin", "list")).code, 0);

        text = plugin("word", `{ hosts: ["a.example"], env: ["TOKEN"] }`);
        const updated = await b.json("plugin", "lock", "--update");
        assert.deepEqual(updated.data.plugins, [
          { use: url, change: "updated", rights: { hosts: ["a.example"], env: ["TOKEN"] } },
        ]);
        assert.equal((await b.json("plugin", "list")).code, 0);
        assert.deepEqual((await b.json("plugin", "lock")).data.plugins?.map(({ change }) => change), [
          "unchanged",
        ]);

        // Rights that were taken out of the lock file by hand are not there.
        const edited = JSON.parse(await Deno.readTextFile(`${project.dir}/dappfile.lock`));
        edited.plugins[url].rights = { hosts: ["a.example"] };
        await project.write({ "dappfile.lock": JSON.stringify(edited) });
        const wider = await b.json("plugin", "list");
        assert.equal(
          wider.data.error?.message,
          `Cannot load plugin "${url}": it asks for env TOKEN, which dappfile.lock does not give it`,
        );
      },
    );
  });
});

Deno.test("a plugin outside of the repository is pinned by its files", async () => {
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/p.js`, plugin(`"one"`));
    const use = `${dir}/p.js`;
    await withProject(
      { "dappfile.yaml": `project: shop\nplugins: ["${use}"]\n---\n${STAGE}` },
      async (project) => {
        await using before = project.engine();
        await assert.rejects(before.plan(), { code: "PLUGIN_NOT_PINNED" });
        await using locking = project.engine();
        await locking.lockPlugins();
        await using after = project.engine();
        assert.equal((await after.plan()).images.length, 1);
        await Deno.writeTextFile(`${dir}/p.js`, plugin(`"two"`));
        await using changed = project.engine();
        await assert.rejects(changed.plan(), {
          code: "PLUGIN_CHANGED",
          message:
            /^Cannot load plugin ".*p\.js": "\/.*p\.js" is not what dappfile\.lock says, expected is [0-9a-f]{64}, found [0-9a-f]{64}$/,
        });
        await using locked = project.engine();
        await locked.lockPlugins({ update: true });
        await using again = project.engine();
        assert.equal((await again.plan()).images.length, 1);
      },
    );
  });
});
