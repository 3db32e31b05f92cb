// Keys for the list of events. Everything works without it, by the buttons.
"use strict";

const events = [...document.querySelectorAll("li.event")];
let chosen = -1;

function choose(place) {
  if (place < 0 || place >= events.length) return;
  if (chosen >= 0) events[chosen].classList.remove("chosen");
  chosen = place;
  events[chosen].classList.add("chosen");
  events[chosen].focus({ preventScroll: true });
  events[chosen].scrollIntoView({ block: "nearest" });
}

function press(key) {
  const where = key === "u" ? document : events[chosen] || document.querySelector("form.event");
  const target = where && where.querySelector(`[data-key="${key}"]`);
  if (!target) return false;
  if (key === "l") target.focus();
  else target.click();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches("input:not([type=checkbox]), select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" && event.target.dataset.key === "l" && event.target.value) {
      event.preventDefault();
      event.target.nextElementSibling.click();
    }
    return;
  }
  if (event.key === "j") choose(chosen + 1);
  else if (event.key === "k") choose(Math.max(chosen - 1, 0));
  else if (!press(event.key)) return;
  event.preventDefault();
});

// After a mark the address names the event: go on with the next one.
const marked = events.findIndex((one) => `#${one.id}` === location.hash);
if (marked >= 0) choose(Math.min(marked + 1, events.length - 1));
