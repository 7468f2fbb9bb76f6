/** The site of the documentation, as a reader has it: opened from disk in a real browser. */
import assert from "node:assert/strict";
import { pages } from "../site/pages.ts";
import { withBrowser } from "./support/browser.ts";
import { peer } from "./support/peers.ts";
import { run } from "./support/process.ts";
import { withTempDir } from "./support/tmp.ts";

const root = new URL("../", import.meta.url).pathname;

async function withSite(body: (dir: string) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    await run([Deno.execPath(), "run", "-A", "--no-check", "site/main.ts", dir], { cwd: root });
    await body(dir);
  });
}

Deno.test("every link of the site holds, and it loads nothing from elsewhere", async () => {
  await withSite(async (dir) => {
    const anchors = new Map<string, Set<string>>();
    const texts = new Map<string, string>();
    for (const { name } of pages) {
      const html = await Deno.readTextFile(`${dir}/${name}.html`);
      texts.set(`${name}.html`, html);
      anchors.set(`${name}.html`, new Set([...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id!)));
    }
    const broken: string[] = [];
    let count = 0;
    for (const [page, html] of texts) {
      assert.doesNotMatch(
        html,
        /(?:src|<link[^>]*href)="(?:https?:)?\/\//,
        `${page} loads something from elsewhere`,
      );
      for (const [, href] of html.matchAll(/<a [^>]*href="([^"]*)"/g)) {
        if (/^[a-z]+:/.test(href!)) continue;
        count++;
        const [file, anchor] = href!.split("#");
        const target = anchors.get(file === "" ? page : file!);
        if (!target || (anchor && !target.has(decodeURIComponent(anchor)))) broken.push(`${page}: ${href}`);
      }
    }
    assert.deepEqual(broken, []);
    assert.ok(count > 200, `${count} links`);
  });
});

Deno.test("search finds and code copies, from disk", async (t) => {
  const chromium = await peer("chromium");
  if (chromium === undefined) return;
  await withSite(async (dir) => {
    await withBrowser(chromium, async (page) => {
      await page.open(`file://${dir}/index.html`);
      const search = (text: string) =>
        page.evaluate(`(() => {
          const input = document.getElementById("search");
          input.value = ${JSON.stringify(text)};
          input.dispatchEvent(new Event("input"));
          return [...document.querySelectorAll("#found a")].map((a) => a.getAttribute("href"));
        })()`) as Promise<string[]>;
      const wanted: readonly (readonly [text: string, href: string])[] = [
        ["fromPath mount", "dappfile.html#mount"],
        ["tag-branch", "tagging.html"],
        ["GitLab template", "ci.html"],
        ["exit codes", "cli.html#exit-codes"],
        ["whiteouts", "architecture.html"],
        ["stageDependencis", "dappfile.html"],
      ];
      for (const [text, href] of wanted) {
        await t.step(`search for ${text}`, async () => {
          const found = await search(text);
          assert.ok(found.some((each) => each.startsWith(href)), `${href} is not among ${found.join(", ")}`);
        });
      }
      await t.step(
        "what nobody wrote is not found",
        async () => assert.deepEqual(await search("xyzzyplugh"), []),
      );
      await t.step("a result leads to its place", async () => {
        const [first] = await search("exit codes");
        await page.open(`file://${dir}/${first}`);
        assert.match(
          String(await page.evaluate("document.querySelector(':target').textContent")),
          /Exit codes/,
        );
      });
      await t.step("a block of code copies whole", async () => {
        await page.open(`file://${dir}/tutorial.html`);
        const copied = await page.evaluate(`(async () => {
          const block = [...document.querySelectorAll("pre")].find((pre) => pre.textContent.includes("mkdir shop"));
          const code = block.querySelector("code").textContent;
          const taken = new Promise((resolve) => {
            document.addEventListener("copy", () => resolve(String(document.activeElement.value ?? getSelection())));
            const write = navigator.clipboard?.writeText.bind(navigator.clipboard);
            if (write) navigator.clipboard.writeText = (text) => (resolve(text), Promise.resolve());
          });
          block.querySelector("button.copy").click();
          return [await taken, code];
        })()`) as [string, string];
        assert.equal(copied[0], copied[1]);
        assert.match(copied[0], /^mkdir shop && cd shop\ngit init/);
      });
    });
  });
});

Deno.test("pages fit a narrow screen, and their headings leave out no level", async () => {
  const chromium = await peer("chromium");
  if (chromium === undefined) return;
  await withSite(async (dir) => {
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async ({ url }) => {
      const path = new URL(url).pathname;
      const file = await Deno.readFile(dir + path).catch(() => undefined);
      const type = path.endsWith(".css")
        ? "text/css"
        : path.endsWith(".js")
        ? "text/javascript"
        : "text/html";
      return new Response(file ?? null, { status: file ? 200 : 404, headers: { "content-type": type } });
    });
    await withBrowser(chromium, async (page) => {
      for (const { name } of pages) {
        await page.open(`http://127.0.0.1:${server.addr.port}/${name}.html`);
        const [wide, skipped, tops] = await page.evaluate(`(async () => {
          const frame = document.createElement("iframe");
          frame.style.cssText = "width: 360px; height: 700px; border: 0";
          frame.src = location.href;
          document.body.append(frame);
          await new Promise((resolve) => frame.onload = resolve);
          const { documentElement: all } = frame.contentDocument;
          const levels = [...all.querySelectorAll("main :is(h1, h2, h3, h4)")].map(({ tagName }) => +tagName[1]);
          const skips = levels.filter((level, i) => level > (levels[i - 1] ?? 0) + 1);
          return [all.scrollWidth - all.clientWidth, skips.length, levels.filter((level) => level === 1).length];
        })()`) as [number, number, number];
        assert.deepEqual({ wide, skipped, tops }, { wide: 0, skipped: 0, tops: 1 }, name);
      }
    });
    await server.shutdown();
  });
});
