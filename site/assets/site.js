// Search in all pages, and a button that copies each block of code.
import MiniSearch from "minisearch";

const search = new MiniSearch({
  fields: ["title", "text"],
  storeFields: ["title", "page", "text"],
  searchOptions: { boost: { title: 4 }, prefix: true, fuzzy: 0.15, combineWith: "AND" },
});
search.addAll(globalThis.dappIndex);
const input = document.getElementById("search");
const list = document.getElementById("found");
input.addEventListener("input", () => {
  const found = input.value.trim() === "" ? [] : search.search(input.value).slice(0, 12);
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
  if (event.key !== "/" || event.target === input) return;
  event.preventDefault();
  input.focus();
});
for (const block of document.querySelectorAll("pre > code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await copy(block.textContent);
    button.textContent = "Copied";
    setTimeout(() => button.textContent = "Copy", 2000);
  });
  block.parentElement.append(button);
}
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
