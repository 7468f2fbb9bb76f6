/** The site of the documentation, as a reader has it: opened from disk in a real browser. */
import assert from "node:assert/strict";
import { pages } from "../site/pages.ts";
import { withBrowser } from "./support/browser.ts";
import { peer } from "./support/peers.ts";
import { run } from "./support/process.ts";

const root = new URL("../", import.meta.url).pathname;

/** The site, made once for all tests of this file. */
const site = await Deno.makeTempDir({ prefix: "dapp-site-" });
globalThis.addEventListener("unload", () => Deno.removeSync(site, { recursive: true }));
let made: Promise<unknown> | undefined;

async function withSite(body: (dir: string) => Promise<void>): Promise<void> {
  made ??= run([Deno.execPath(), "run", "-A", "--no-check", "site/main.ts", site], { cwd: root });
  await made;
  await body(site);
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
    let [count, pictures] = [0, 0];
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
    for (const [page, html] of texts) {
      for (const [, src] of html.matchAll(/<img [^>]*src="([^"]*)"/g)) {
        pictures++;
        if (!await Deno.stat(`${dir}/${src}`).then(() => true, () => false)) broken.push(`${page}: ${src}`);
      }
    }
    assert.deepEqual(broken, []);
    assert.ok(pictures > 5, `${pictures} pictures`);
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
        ["whiteouts", "stages.html"],
        ["dappfile.lock update", "bases.html#pinning"],
        ["keep-released", "cleanup-plugin.html"],
        ["AbortController", "embedding.html"],
        ["Woodpecker", "other-ci.html"],
        ["migrate werf", "migration.html#from-werf"],
        ["declared files only", "troubleshooting.html"],
        ["condemned signatures", "protocol.html"],
        ["SOURCE_DATE_EPOCH", "environment.html#builds"],
        ["not enforced", "security.html#in-short"],
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
          block.parentElement.querySelector("button.copy").click();
          return [await taken, code];
        })()`) as [string, string];
        assert.equal(copied[0], copied[1]);
        assert.match(copied[0], /^mkdir shop && cd shop\ngit init/);
      });
    });
  });
});

Deno.test("pages fit a narrow screen, begin on it, break no word of a table, and their headings leave out no level", async () => {
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
      await page.open(`http://127.0.0.1:${server.addr.port}/index.html`);
      for (const { name } of pages) {
        const { top, ...found } = await page.evaluate(`(async () => {
          const frame = document.createElement("iframe");
          frame.style.cssText = "width: 360px; height: 700px; border: 0";
          frame.src = "${name}.html";
          document.body.append(frame);
          await new Promise((resolve) => frame.onload = resolve);
          const { documentElement: all } = frame.contentDocument;
          const levels = [...all.querySelectorAll("main :is(h1, h2, h3, h4)")].map(({ tagName }) => +tagName[1]);
          const skips = levels.filter((level, i) => level > (levels[i - 1] ?? 0) + 1);
          const texts = [...all.querySelectorAll("th, td")].flatMap((cell) => {
            const walker = frame.contentDocument.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
            const found = [];
            while (walker.nextNode()) found.push(walker.currentNode);
            return found;
          });
          const broken = texts.flatMap((text) =>
            [...text.data.matchAll(/\\p{L}+/gu)].filter(({ index, 0: word }) => {
              const range = frame.contentDocument.createRange();
              range.setStart(text, index);
              range.setEnd(text, index + word.length);
              return range.getClientRects().length > 1;
            }).map(([word]) => word)
          );
          const answer = {
            wide: all.scrollWidth - all.clientWidth,
            skipped: skips.length,
            tops: levels.filter((level) => level === 1).length,
            broken,
            top: all.querySelector("main").getBoundingClientRect().top,
          };
          frame.remove();
          return answer;
        })()`) as { wide: number; skipped: number; tops: number; broken: string[]; top: number };
        assert.deepEqual(found, { wide: 0, skipped: 0, tops: 1, broken: [] }, name);
        assert.ok(top < 350, `the text of ${name} begins ${top} pixels below the top`);
      }
    });
    await server.shutdown();
  });
});

Deno.test("the site is used by keyboard alone", async (t) => {
  const chromium = await peer("chromium");
  if (chromium === undefined) return;
  await withSite(async (dir) => {
    await withBrowser(chromium, async (page) => {
      const active = (what: string) => page.evaluate(`document.activeElement.${what}`);
      const found = () => page.evaluate('document.querySelectorAll("#found a").length');
      const type = async (text: string) => {
        for (const sign of text) await page.press(sign);
      };

      await t.step("the first stop leads past the menu", async () => {
        await page.open(`file://${dir}/index.html`);
        await page.press("Tab");
        assert.equal(await active("className"), "skip");
        await page.press("Enter");
        assert.equal(await active("id"), "text");
        await page.press("Tab");
        assert.equal(await active('closest("main") !== null'), true);
      });

      await t.step("slash searches, arrows choose, Enter opens, Escape leaves", async () => {
        await page.press("/");
        assert.equal(await active("id"), "search");
        await type("exit codes");
        assert.ok(Number(await found()) > 1);
        await page.press("ArrowDown");
        await page.press("ArrowDown");
        await page.press("ArrowUp");
        const first = await active("href");
        assert.equal(first, await page.evaluate('document.querySelector("#found a").href'));
        await page.follow(() => page.press("Enter"));
        assert.equal(await page.evaluate("location.href"), first);
        await page.press("/");
        await type("lease");
        await page.press("ArrowDown");
        await page.press("Escape");
        assert.deepEqual([await active("id"), await active("value"), await found()], ["search", "", 0]);
        await type("fromPath mount");
        await page.follow(() => page.press("Enter"));
        assert.match(String(await page.evaluate("location.href")), /dappfile\.html#mount$/);
      });

      await t.step("every link, button and block that scrolls is reached, and seen to be", async () => {
        await page.open(`file://${dir}/tutorial.html`);
        const all = Number(
          await page.evaluate(`(() => {
          const stops = [...document.querySelectorAll("a[href], button, input, pre, table")];
          return stops.filter((stop) => !/PRE|TABLE/.test(stop.tagName) || stop.scrollWidth > stop.clientWidth).length;
        })()`),
        );
        const stops = new Set<unknown>();
        await page.evaluate("globalThis.seen = []");
        for (let i = 0; i < all; i++) {
          await page.press("Tab");
          const [at, outline] = await page.evaluate(`(() => {
            const { activeElement: stop } = document;
            if (!seen.includes(stop)) seen.push(stop);
            const { outlineStyle, outlineWidth } = getComputedStyle(stop);
            return [seen.indexOf(stop), outlineStyle !== "none" && parseFloat(outlineWidth) > 0];
          })()`) as [number, boolean];
          assert.ok(outline, `stop ${i} is not to be seen`);
          stops.add(at);
        }
        assert.ok(all > 30, `${all} stops`);
        assert.equal(stops.size, all);
      });

      await t.step("a block is copied, and the place is kept", async () => {
        await page.evaluate('document.querySelector(".copy").focus()');
        await page.press("Enter");
        const said = await page.evaluate(`(async () => {
          const button = document.querySelector(".copy");
          while (button.textContent !== "Copied") await new Promise(requestAnimationFrame);
          return document.activeElement === button;
        })()`);
        assert.equal(said, true);
      });
    });
  });
});

Deno.test("the site is dark or light as the system prefers, and can be read either way", async (t) => {
  const chromium = await peer("chromium");
  if (chromium === undefined) return;
  await withSite(async (dir) => {
    await withBrowser(chromium, async (page) => {
      for (const scheme of ["light", "dark"] as const) {
        await t.step(scheme, async () => {
          await page.prefer(scheme);
          await page.open(`file://${dir}/tutorial.html`);
          const { ground, poor, count } = await page.evaluate(`(() => {
            const input = document.getElementById("search");
            input.value = "stage";
            input.dispatchEvent(new Event("input"));
            const channels = (text) => {
              const [red, green, blue, alpha = 1] = text.match(/[\\d.]+/g).map(Number);
              return { rgb: [red, green, blue], alpha };
            };
            const light = ({ rgb }) => {
              const [r, g, b] = rgb.map((c) => c / 255 <= .04045 ? c / 255 / 12.92 : ((c / 255 + .055) / 1.055) ** 2.4);
              return .2126 * r + .7152 * g + .0722 * b;
            };
            const groundOf = (element) => {
              const own = channels(getComputedStyle(element).backgroundColor);
              return own.alpha === 1 || !element.parentElement ? own : groundOf(element.parentElement);
            };
            const texts = [...document.querySelectorAll("body *")].filter((element) =>
              element.checkVisibility() && [...element.childNodes].some(({ nodeType, data }) => nodeType === 3 && data.trim())
            );
            const poor = texts.filter((element) => {
              const [a, b] = [light(channels(getComputedStyle(element).color)), light(groundOf(element))];
              return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5;
            });
            return {
              ground: light(groundOf(document.body)),
              poor: poor.map(({ tagName, textContent }) => tagName + " " + textContent.slice(0, 40)),
              count: texts.length,
            };
          })()`) as { ground: number; poor: string[]; count: number };
          assert.ok(count > 100, `${count} texts`);
          assert.deepEqual(poor, []);
          assert.ok(scheme === "dark" ? ground < .1 : ground > .9, `the ground is ${ground}`);
        });
      }
    });
  });
});
