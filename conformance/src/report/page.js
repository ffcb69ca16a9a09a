"use strict";
const buttons = [...document.querySelectorAll(".counts button")];
const search = document.querySelector(".search");
const input = search.querySelector("input");
const rows = [...document.querySelectorAll(".row")];
const show = () => {
  const on = new Set(buttons.filter(b => b.getAttribute("aria-pressed") === "true")
    .map(b => b.dataset.verdict));
  const words = input.value.toLowerCase().split(/\s+/);
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !on.has(row.dataset.verdict) || !words.every(word => text.includes(word));
  }
  for (const family of document.querySelectorAll(".family")) {
    family.hidden = !family.querySelector(".row:not([hidden])");
  }
};
for (const button of buttons) {
  button.disabled = false;
  button.addEventListener("click", () => {
    const pressed = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-pressed", String(!pressed));
    show();
  });
}
input.addEventListener("input", show);
addEventListener("hashchange", () => {
  const row = document.getElementById(location.hash.slice(1));
  if (row) { row.hidden = false; row.closest(".family").hidden = false; row.open = true; }
});
search.hidden = false;
