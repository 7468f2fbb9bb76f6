import assert from "node:assert/strict";
import { configValue, repositoryName } from "../../../core/git/config_file.ts";
import { git, inTemp, makeRepository } from "./fixture.ts";

Deno.test("configValue() reads what git config reads", async (t) => {
  const texts: readonly (readonly [string, string])[] = [
    ["plain", '[remote "origin"]\n\turl = https://h/x.git\n'],
    ["no section", '[remote "other"]\n\turl = a\n[core]\n\turl = b\n'],
    ["comments", '# c\n[remote "origin"] ; c\nurl = a/b # c\n; url = x\n'],
    ["quotes", '[remote "origin"]\nurl = "a # b;c" d \n'],
    ["escapes", '[remote "origin"]\nurl = a\\\\b\\"c\\td\n'],
    ["continued line", '[remote "origin"]\nurl = a\\\nb\n'],
    ["same line", '[remote "origin"] url = a\n'],
    ["upper case", '[REMOTE "origin"]\nURL=a\n[remote "Origin"]\nurl=b\n'],
    ["the last one wins", '[remote "origin"]\nurl=a\nurl=b\n[remote "origin"]\nfetch = x\n'],
    ["windows line ends", '[remote "origin"]\r\n\turl = a\r\n'],
    ["old subsection", "[remote.origin]\nurl = a\n"],
    ["empty", '[remote "origin"]\nurl =\n'],
  ];
  await inTemp(async (dir) => {
    await makeRepository(dir);
    for (const [name, text] of texts) {
      await t.step(name, async () => {
        await Deno.writeTextFile(`${dir}/cfg`, text);
        const expected = await git(dir, "config", "--file", "cfg", "--get-all", "remote.origin.url")
          .then((out) => out.split("\n").at(-1), () => undefined);
        assert.equal(configValue(text, "remote", "origin", "url"), expected);
      });
    }
  });
});

Deno.test("repositoryName() is the last element of a URL", async (t) => {
  const cases: readonly [string, string | undefined][] = [
    ["https://example.com/group/shop.git", "shop"],
    ["https://example.com/group/shop", "shop"],
    ["https://example.com/group/shop/", "shop"],
    ["git@example.com:shop.git", "shop"],
    ["git@example.com:a/b/shop.git", "shop"],
    ["ssh://git@example.com:2222/a/shop.git", "shop"],
    ["/srv/git/shop.git", "shop"],
    ["/srv/shop/.git", "shop"],
    ["../shop", "shop"],
    ["", undefined],
  ];
  for (const [url, name] of cases) await t.step(url, () => assert.equal(repositoryName(url), name));
});
