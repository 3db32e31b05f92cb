// Keys for whatever a page offers under one (data-key). Everything works without it, by the buttons.
// Not deferred: a key that is pressed while the page still comes in is one for this page.
"use strict";

let events = [];
let chosen = -1;
let ready = false;
let leaving = false;
let marking = ""; // the event whose form leaves
let waiting = [];

// A browser that takes no cookies takes no keys for the next page: they are lost then.
function memory() {
  try {
    return sessionStorage;
  } catch {
    return {};
  }
}

const kept = memory();

function choose(place) {
  if (place < 0 || place >= events.length) return;
  if (chosen >= 0) events[chosen].classList.remove("chosen");
  chosen = place;
  events[chosen].classList.add("chosen");
  events[chosen].focus({ preventScroll: true });
  events[chosen].scrollIntoView({ block: "nearest" });
}

function press(key) {
  // In a list a key is the chosen event's, and so is none before one is chosen.
  const where = key === "u" || !events.length ? document : events[chosen];
  const target = where && where.querySelector(`[data-key="${key}"]`);
  if (!target) return false;
  if (key === "l") target.focus();
  else target.click();
  if (target.href) leaving = true;
  return true;
}

function act(key) {
  // Of a list, the next event was in sight when its key was pressed: the page that comes goes on with it, if it names
  // the event that was marked. What other pages bring next was not in sight: the key is dropped.
  if (leaving) {
    if (marking) kept.keys = (kept.keys || `${marking} `) + key;
    return true;
  }
  if (key === "j") choose(chosen + 1);
  else if (key === "k") choose(Math.max(chosen - 1, 0));
  else return press(key);
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches("input:not([type=checkbox]):not([type=radio]), select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" && event.target.dataset.key === "l" && event.target.value) {
      event.preventDefault();
      event.target.nextElementSibling.click();
    }
    return;
  }
  if (event.key === "Escape") stay(); // it stops the browser, too
  if (!/^[1-9a-z]$/.test(event.key)) return;
  if (event.repeat && !/[jk]/.test(event.key)) return; // a finger that rests marks one event
  if (!ready) waiting.push(event.key);
  else if (act(event.key)) event.preventDefault();
});

function stay() {
  leaving = false;
  delete kept.keys;
}

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  leaving = true;
  marking = event.submitter?.closest("li.event")?.id || "";
});

window.addEventListener("pageshow", (event) => {
  if (event.persisted) stay(); // back again
});

document.addEventListener("DOMContentLoaded", () => {
  events = [...document.querySelectorAll("li.event")];
  // After a mark the address names the event: go on with the next one.
  const marked = events.findIndex((one) => `#${one.id}` === location.hash);
  if (marked >= 0) choose(Math.min(marked + 1, events.length - 1));
  const [of, keys] = (kept.keys || "").split(" ");
  delete kept.keys;
  ready = true;
  for (const key of [...(marked >= 0 && events[marked].id === of ? keys : ""), ...waiting]) {
    act(key);
    if (key === "l") break; // what follows was meant for the field
  }
  waiting = [];
});
