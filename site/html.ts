/** What stands around the text of a page. */
import { menu, type Source } from "./pages.ts";

/** Text in HTML. */
export function escape(text: string): string {
  return text.replaceAll(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** A whole page: it loads nothing but files beside it, without modules, so that it opens from disk. */
export function pageHtml({ name, title }: Source, body: string): string {
  const links = menu.map((section) =>
    `<h2>${escape(section.title)}</h2><ul>${
      section.pages.map((page) => {
        const here = page.name === name ? ' aria-current="page"' : "";
        return `<li><a href="${page.name}.html"${here}>${escape(page.title)}</a></li>`;
      }).join("")
    }</ul>`
  ).join("");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} · dapp</title>
<link rel="stylesheet" href="assets/style.css">
</head>
<body>
<a class="skip" href="#text">To the text</a>
<nav aria-label="Pages">
<a class="name" href="index.html">dapp</a>
<input id="search" type="search" placeholder="Search (/)" aria-label="Search" autocomplete="off">
<ol id="found" aria-live="polite" hidden></ol>
<details id="menu" open>
<summary>Pages</summary>
${links}
</details>
</nav>
<main id="text" tabindex="-1">
${body}
</main>
<script src="assets/site.js"></script>
<script src="assets/index.js"></script>
</body>
</html>
`;
}
