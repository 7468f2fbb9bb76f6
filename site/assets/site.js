// A menu that folds on narrow screens, search in all pages, and a button that copies each block of code. Everything works with the keyboard alone.
import MiniSearch from "minisearch";

const narrow = matchMedia("(max-width: 50rem)");
const fold = () => document.getElementById("menu").open = !narrow.matches;
narrow.addEventListener("change", fold);
fold();

let index;
/** Made when somebody searches: it takes longer than everything else on a page. */
function search(text) {
  if (!index) {
    index = new MiniSearch({
      fields: ["title", "text"],
      storeFields: ["title", "page", "text"],
      searchOptions: { boost: { title: 4 }, prefix: true, fuzzy: 0.15, combineWith: "AND" },
    });
    index.addAll(globalThis.dappIndex);
  }
  return index.search(text);
}
const input = document.getElementById("search");
const list = document.getElementById("found");
input.addEventListener("input", () => {
  const found = input.value.trim() === "" ? [] : search(input.value).slice(0, 12);
  list.hidden = input.value.trim() === "";
  list.replaceChildren(...found.map(({ id, title, page, text, terms }) => {
    const link = document.createElement("a");
    link.href = id;
    const name = document.createElement("strong");
    name.textContent = title === page ? title : `${page}: ${title}`;
    const at = Math.max(0, text.toLowerCase().indexOf(terms[0]) - 40);
    const around = document.createElement("small");
    around.textContent = text.slice(at, at + 120);
    link.append(name, around);
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
  if (found.length === 0) list.textContent = "Nothing found";
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const { activeElement: active } = document;
  const results = [...list.querySelectorAll("a")];
  const stops = [input, ...results];
  const at = stops.indexOf(active);
  if (event.key === "/" && active !== input) input.focus();
  else if (event.key === "ArrowDown" && at >= 0) stops[Math.min(at + 1, results.length)].focus();
  else if (event.key === "ArrowUp" && at > 0) stops[at - 1].focus();
  else if (event.key === "Enter" && active === input) results[0]?.click();
  else if (event.key === "Escape" && at >= 0) {
    input.value = "";
    input.dispatchEvent(new Event("input"));
    input.focus();
  } else return;
  event.preventDefault();
});
for (const code of document.querySelectorAll("pre > code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await copy(code.textContent);
    button.focus();
    button.textContent = "Copied";
    setTimeout(() => button.textContent = "Copy", 2000);
  });
  const block = document.createElement("div");
  block.className = "block";
  code.parentElement.replaceWith(block);
  block.append(code.parentElement, button);
}
// What scrolls has to be reached to be scrolled.
function reachScrolling() {
  for (const box of document.querySelectorAll("pre, table")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
reachScrolling();
addEventListener("resize", reachScrolling);
// Pages from disk are not always allowed to use the clipboard's own interface.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
