/**
 * Makes the site of the documentation: static pages that open from disk, with a search that needs no server.
 *
 * `deno task docs [DIR]` writes it to DIR, by default out/site.
 */
import Eleventy from "@11ty/eleventy";
import { pageHtml } from "./html.ts";
import { anchorOf, linkTo, type Part, partsOf } from "./markdown.ts";
import { pages } from "./pages.ts";

/** What of the Markdown parser is used. */
interface Token {
  tag: string;
  readonly content: string;
  readonly children: readonly Token[] | null;
  attrGet(name: string): string | null;
  attrSet(name: string, value: string): void;
}
interface Markdown {
  readonly renderer: {
    readonly rules: Record<
      string,
      (tokens: Token[], at: number, options: object, env: Env, self: Renderer) => string
    >;
  };
}
interface Renderer {
  renderToken(tokens: Token[], at: number, options: object): string;
}
interface Env {
  readonly page: { readonly fileSlug: string };
  anchors?: Set<string>;
}

const root = new URL("../", import.meta.url);
const output = Deno.args[0] ?? new URL("out/site", root).pathname;
const parts: Part[] = [];

/** Headings get anchors, short names stay whole, links lead to pages; a link to a file that is no page stays a text. */
function asPages({ renderer: { rules } }: Markdown): void {
  rules.heading_open = (tokens, at, options, env, self) => {
    const anchors = env.anchors ??= new Set();
    const title = tokens[at + 1]!.children?.map(({ content }) => content).join("") ?? "";
    let id = anchorOf(title);
    for (let n = 1; anchors.has(id); n++) id = `${anchorOf(title)}-${n}`;
    anchors.add(id);
    tokens[at]!.attrSet("id", id);
    return self.renderToken(tokens, at, options);
  };
  const code = rules.code_inline!;
  rules.code_inline = (tokens, at, options, env, self) => {
    const token = tokens[at]!;
    if (/^\S{1,24}$/.test(token.content)) token.attrSet("class", "word");
    return code(tokens, at, options, env, self);
  };
  rules.link_open = (tokens, at, options, env, self) => {
    const token = tokens[at]!;
    const { file } = pages.find(({ name }) =>
      name === env.page.fileSlug || (name === "index" && env.page.fileSlug === "")
    )!;
    const href = linkTo(token.attrGet("href") ?? "", file);
    if (href === undefined) token.tag = "span";
    else token.attrSet("href", href);
    const close = tokens.slice(at).find(({ tag }) => tag === "a");
    if (href === undefined && close) close.tag = "span";
    return self.renderToken(tokens, at, options);
  };
}

const site = new Eleventy("site", output, {
  quietMode: true,
  configPath: false,
  config(config: EleventyConfig) {
    config.setTemplateFormats(["md"]);
    config.amendLibrary("md", (markdown: Markdown) => asPages(markdown));
    for (const { name, file } of pages) {
      config.addTemplate(`${name}.md`, Deno.readTextFileSync(new URL(file, root)), {
        permalink: `${name}.html`,
        // Texts have {{ }} in them, which are no templates.
        templateEngineOverride: "md",
      });
    }
    config.addTransform("page", function (this: { page: { outputPath: string } }, html: string) {
      const page = pages.find(({ name }) => this.page.outputPath.endsWith(`/${name}.html`))!;
      parts.push(...partsOf(page.name, page.title, html));
      return pageHtml(page, html);
    });
  },
});
/** What of the generator's configuration is used. */
interface EleventyConfig {
  setTemplateFormats(formats: string[]): void;
  amendLibrary(name: string, change: (library: Markdown) => void): void;
  addTemplate(path: string, text: string, data: object): void;
  addTransform(
    name: string,
    transform: (this: { page: { outputPath: string } }, html: string) => string,
  ): void;
}

await site.write();
await Deno.mkdir(`${output}/assets`, { recursive: true });
// One plain script with the search in it: pages from disk load no modules.
const bundled = await new Deno.Command(Deno.execPath(), {
  args: [
    ...["bundle", "--quiet", "--platform", "browser", "--format", "iife", "--minify"],
    ...["--output", `${output}/assets/site.js`, new URL("site/assets/site.js", root).pathname],
  ],
}).spawn().status;
if (!bundled.success) throw new Error("Cannot bundle site/assets/site.js: see above");
await Deno.copyFile(new URL("site/assets/style.css", root), `${output}/assets/style.css`);
// Pictures are where the texts have them.
await Deno.mkdir(`${output}/curves`, { recursive: true });
for await (const { name } of Deno.readDir(new URL("docs/curves", root))) {
  await Deno.copyFile(new URL(`docs/curves/${name}`, root), `${output}/curves/${name}`);
}
await Deno.writeTextFile(`${output}/assets/index.js`, `globalThis.dappIndex = ${JSON.stringify(parts)};\n`);
