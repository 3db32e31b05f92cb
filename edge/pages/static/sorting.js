// Keys for sorting, and whole rows by Shift. Everything works without it.
"use strict";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches("input:not([type=checkbox]):not([type=radio]), select, textarea")) {
    const button = event.target.parentElement.querySelector("button[value=name]");
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" && button && event.target.value) {
      event.preventDefault();
      button.click();
    }
    return;
  }
  const target = /^[1-9np]$/.test(event.key) && document.querySelector(`[data-key="${event.key}"]`);
  if (!target) return;
  event.preventDefault();
  target.click();
});

const boxes = [...document.querySelectorAll(".sheet input[type=checkbox]")];
let last = -1;

document.addEventListener("click", (event) => {
  const at = boxes.indexOf(event.target);
  if (at < 0) return;
  if (event.shiftKey && last >= 0) {
    const [from, to] = [Math.min(last, at), Math.max(last, at)];
    for (const box of boxes.slice(from, to + 1)) box.checked = event.target.checked;
  }
  last = at;
});
