import assert from "node:assert/strict";
import { formatSources, machineSources, parseDeb822Sources, parseOneLineSources } from "./debian_sources.ts";
import { withTempDir } from "./tmp.ts";

const debian = { uri: "http://mirror.example/debian", suite: "bookworm", components: ["main"] };

Deno.test("parseOneLineSources() reads deb lines", async (t) => {
  const cases: Record<string, [string, unknown[]]> = {
    "plain": ["deb http://mirror.example/debian bookworm main", [debian]],
    "trailing slash, blanks and comment": [" deb  http://mirror.example/debian/  bookworm  main # x", [
      debian,
    ]],
    "options": ["deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main", [debian]],
    "two components": ["deb http://mirror.example/debian bookworm main contrib", [{
      ...debian,
      components: ["main", "contrib"],
    }]],
    "source packages": ["deb-src http://mirror.example/debian bookworm main", []],
    "comment": ["# deb http://mirror.example/debian bookworm main", []],
    "nothing": ["", []],
  };
  for (const [name, [text, expected]] of Object.entries(cases)) {
    await t.step(name, () => assert.deepEqual(parseOneLineSources(text), expected));
  }
});

Deno.test("parseDeb822Sources() reads stanzas", async (t) => {
  const stanza = "Types: deb\nURIs: http://mirror.example/debian/\nSuites: bookworm\nComponents: main\n";
  const cases: Record<string, [string, unknown[]]> = {
    "plain": [stanza, [debian]],
    "lower-case names, comment inside": [
      "types: deb deb-src\n# old\nuris: http://mirror.example/debian\nsuites: bookworm\ncomponents: main",
      [debian],
    ],
    "continuation lines": [
      "Types: deb\nURIs:\n http://mirror.example/debian\nSuites: bookworm\n bookworm-updates\nComponents: main",
      [debian, { ...debian, suite: "bookworm-updates" }],
    ],
    "disabled": [`Enabled: no\n${stanza}`, []],
    "source packages": [stanza.replace("deb\n", "deb-src\n"), []],
    "two stanzas": [`${stanza}\n${stanza.replace("bookworm", "sid")}`, [debian, { ...debian, suite: "sid" }]],
  };
  for (const [name, [text, expected]] of Object.entries(cases)) {
    await t.step(name, () => assert.deepEqual(parseDeb822Sources(text), expected));
  }
});

Deno.test("machineSources() joins both formats and keeps usable sources of the release only", async () => {
  await withTempDir(async (etc) => {
    await Deno.mkdir(`${etc}/sources.list.d`);
    await Deno.writeTextFile(`${etc}/sources.list`, "deb http://mirror.example/debian bookworm main\n");
    await Deno.writeTextFile(`${etc}/sources.list.d/x.sources.disabled`, "Types: deb\n");
    await Deno.writeTextFile(
      `${etc}/sources.list.d/other.list`,
      "deb http://tools.example stable main\ndeb cdrom:[x]/ bookworm main\ndeb http://x.example bookworm extra\n",
    );
    await Deno.writeTextFile(
      `${etc}/sources.list.d/security.sources`,
      "Types: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main\n",
    );
    const sources = await machineSources("bookworm", etc);
    assert.equal(
      formatSources(sources),
      "deb http://mirror.example/debian bookworm main\n" +
        "deb http://mirror.example/debian-security bookworm-security main\n",
    );
    assert.deepEqual(await machineSources("bookworm", `${etc}/absent`), []);
  });
});
