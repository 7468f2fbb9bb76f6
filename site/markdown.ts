/** How texts of the repository read as pages. */
import { pages } from "./pages.ts";

/** The anchor of a heading, as code hosts make it. */
export function anchorOf(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").trim().replaceAll(/\s/g, "-");
}

/**
 * Where a link of a text leads on the site: pages to pages; undefined for files that are not on it.
 *
 * @param from the file with the link, from the top of the repository
 */
export function linkTo(href: string, from: string): string | undefined {
  if (/^(?:[a-z]+:|#)/i.test(href)) return href;
  const { pathname, hash } = new URL(href, `file:///${from}`);
  const page = pages.find(({ file }) => `/${file}` === pathname);
  return page && `${page.name}.html${hash}`;
}

/** A part of a page that search finds. */
export interface Part {
  readonly id: string;
  readonly title: string;
  readonly page: string;
  readonly text: string;
}

/** The parts of a page: what stands below each heading. */
export function partsOf(name: string, title: string, html: string): readonly Part[] {
  const pieces = html.split(/(?=<h[1-3] id=")/);
  return pieces.flatMap((piece) => {
    const [, id, heading] = /^<h[1-3] id="([^"]*)">(.*?)<\/h/s.exec(piece) ?? [];
    const text = plain(piece);
    if (text === "") return [];
    return [{
      id: id === undefined ? `${name}.html` : `${name}.html#${id}`,
      title: heading === undefined ? title : plain(heading),
      page: title,
      text,
    }];
  });
}

function plain(html: string): string {
  const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', amp: "&" };
  return html.replaceAll(/<[^>]*>/g, " ").replaceAll(/&(lt|gt|quot|amp);/g, (_, name) => entities[name]!)
    .replaceAll(/\s+/g, " ").trim();
}
