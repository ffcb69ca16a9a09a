"use strict";
const $ = id => document.getElementById(id);
const panel = $("panel"), form = document.querySelector("form"), main = document.querySelector("main");
const rows = [...document.querySelectorAll("tbody tr[id]")];
const names = [...document.querySelectorAll("thead th[id]")];
const dialogues = JSON.parse($("dialogues").textContent);

// The server's name and version, and the profile if it is not the usual one.
const title = cell => [...names[cell.cellIndex - 1].children]
  .filter(part => !part.matches(".counts, time")).map(part => part.textContent).join(" ");

const make = (tag, text, kind) => {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (kind) element.className = kind;
  return element;
};

// Filters.
const texts = new Map(rows.map(row => [row, row.firstElementChild.textContent.toLowerCase()]));
const filter = () => {
  const kind = $("rows").value, family = $("family").value, must = $("must").checked;
  const words = $("text").value.toLowerCase().split(/\s+/);
  let shown = 0;
  for (const row of rows) {
    row.hidden = (kind !== "all" && !row.classList.contains(kind))
      || (must && !row.classList.contains("must"))
      || (family && row.parentNode.dataset.family !== family)
      || !words.every(word => texts.get(row).includes(word));
    shown += !row.hidden;
  }
  for (const body of document.querySelectorAll("tbody")) {
    body.hidden = !body.querySelector("tr[id]:not([hidden])");
  }
  $("count").textContent = `${shown} of ${rows.length}`;
};
form.addEventListener("input", filter);
form.addEventListener("submit", event => event.preventDefault());
form.hidden = false;
filter();

// The panel: a requirement, and the dialogue of one cell.
const say = (box, key) => {
  const sessions = dialogues.cells[key];
  if (!sessions) box.append(make("p", "Its dialogue is not on this page.", "dim"));
  for (const [judged, lines] of sessions || []) {
    const pre = make("pre");
    lines.forEach((number, n) => {
      const line = dialogues.lines[number];
      const kind = { C: "client", S: "server" }[line[0]] || "note";
      pre.append(make(n === judged ? "mark" : "span", line, kind), "\n");
    });
    box.append(pre);
  }
};
const open = (row, cell) => {
  const head = row.firstElementChild, facts = head.querySelector("dl").cloneNode(true);
  const [id, level, place, passes] = head.querySelector("summary").children;
  panel.replaceChildren();
  const close = make("button", "×", "close");
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", () => { go(""); });
  panel.append(close, make("h2", id.textContent));
  panel.append(make("p", `${level.textContent} · ${place.textContent}`, "dim"));
  facts.prepend(make("dt", "Passes"), make("dd", passes.textContent));
  const reasons = new Map();
  for (const fact of facts.querySelectorAll("[data-cell]")) {
    reasons.set(fact.dataset.cell, fact);
    fact.previousElementSibling.remove();
    fact.remove();
  }
  panel.append(facts);
  if (cell) {
    const box = make("section", "", cell.className);
    box.append(make("h3", `${title(cell)}: ${cell.textContent}`));
    if (cell.classList.contains("withheld")) {
      box.append(make("p", "What came is shown when its authors have had time to repair it."));
    } else {
      const reason = reasons.get(cell.id);
      if (reason) {
        reason.firstElementChild.remove();
        const text = make("div");
        text.append(...reason.childNodes);
        box.append(text);
      }
      say(box, cell.id);
    }
    panel.append(box);
  }
  const others = make("ul", "", "others");
  for (const other of row.querySelectorAll("td[id]")) {
    const item = make("li"), link = make("a", title(other));
    link.href = `#${other.id}`;
    if (other === cell) link.setAttribute("aria-current", "true");
    item.append(make("i", other.classList.contains("withheld") ? "…" : other.firstElementChild.firstChild.textContent,
      other.className), link);
    others.append(item);
  }
  panel.append(make("h3", "All of them"), others);
  panel.hidden = false;
  panel.scrollTop = 0;
};

// Where the page is: nowhere, at a requirement, or at a cell.
let current = null;
const here = () => {
  const place = location.hash && $(decodeURIComponent(location.hash.slice(1)));
  const cell = place && place.closest("td"), row = place && place.closest("tbody tr[id]");
  if (current) current.classList.remove("current");
  current = cell || row;
  if (!row) { panel.hidden = true; return; }
  row.hidden = row.parentNode.hidden = false;
  current.classList.add("current");
  open(row, cell);
  // The table may be narrower now, its rows and its head higher.
  const { offsetWidth, offsetHeight } = document.querySelector("thead th");
  main.style.scrollPadding = `${offsetHeight + 4}px 8px 8px ${offsetWidth + 4}px`;
  current.scrollIntoView({ block: "nearest", inline: "nearest" });
};
const go = hash => {
  history.pushState(null, "", hash || location.pathname + location.search);
  here();
};
const move = cell => {
  go(`#${cell.id}`);
  const link = cell.querySelector("a, summary");
  link.focus({ preventScroll: true });
};
document.addEventListener("click", event => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const place = event.target.closest("td a, tbody summary, .others a");
  if (!place) return;
  event.preventDefault();
  if (place.matches("summary")) go(`#${place.closest("tr").id}`);
  else if (place.closest("#panel")) move($(place.hash.slice(1)));
  else go(place.hash);
});
document.addEventListener("keydown", event => {
  if (event.key === "Escape" && !panel.hidden) { go(""); return; }
  const cell = event.target.closest && event.target.closest("td");
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!cell || !step) return;
  const seen = rows.filter(row => !row.hidden);
  const row = seen[seen.indexOf(cell.parentNode) + step[0]];
  const next = row && row.cells[cell.cellIndex + step[1]];
  event.preventDefault();
  if (next && next.id) move(next);
});
addEventListener("popstate", here);
addEventListener("hashchange", here);
here();
