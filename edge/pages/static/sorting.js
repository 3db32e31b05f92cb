// Whole rows by Shift, names by Enter, and what goes on followed. Everything works without it.
"use strict";

// Enter in the field of a name gives that name, and is not the first button of the form.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches("input:not([type=checkbox]):not([type=radio])")) return;
  const button = event.target.parentElement.querySelector("button[value=name]");
  if (!button || !event.target.value) return;
  event.preventDefault();
  button.click();
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

// What goes on is fetched again, so that the page need not be loaded anew under whoever reads it.
async function follow(part) {
  try {
    const answer = document.hidden ? null : await fetch(location.href);
    if (answer) {
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-follow]");
      if (!next) {
        location.reload();
        return;
      }
      part.replaceChildren(...next.childNodes);
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // the pages do not answer: they may come back
  }
  setTimeout(follow, part.dataset.follow * 1000, part);
}

const going = document.querySelector("[data-follow]");
if (going) setTimeout(follow, going.dataset.follow * 1000, going);
