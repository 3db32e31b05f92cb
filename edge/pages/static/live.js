// The newest picture, again and again while the page is looked at. Without it the page shows one, and a link to reload.
"use strict";

const live = document.getElementById("live");
const aim = document.getElementById("aim");
const sharpness = document.getElementById("sharpness");
const best = document.getElementById("best");
let sharpest = 0;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// A hidden tab costs nothing.
const seen = () =>
  new Promise((done) => {
    if (!document.hidden) return done();
    document.addEventListener("visibilitychange", function look() {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      done();
    });
  });

function put(element, text) {
  // What is the same is not announced again.
  if (element.textContent !== text) element.textContent = text;
}

function place(rect, box) {
  rect.toggleAttribute("hidden", !box);
  if (box) ["x", "y", "width", "height"].forEach((name, at) => rect.setAttribute(name, box[at] * 100));
}

function tell(now) {
  const state = document.getElementById("state");
  put(state, now.state_words);
  state.className = `state ${now.state}`;
  put(document.getElementById("why"), now.why);
  put(document.getElementById("words"), now.words);
  for (const fact of now.facts) {
    const line = live.querySelector(`[data-fact="${fact.key}"]`);
    if (line) put(line, fact.value);
  }
}

function measure(text) {
  const figure = Number(text);
  sharpest = Math.max(sharpest, figure);
  put(sharpness, text);
  best.hidden = false;
  put(best.querySelector("output"), sharpest.toFixed(2));
  best.querySelector("meter").value = sharpest ? figure / sharpest : 0;
}

function draw(view, picture, image) {
  const canvas = view.querySelector("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d").drawImage(image, 0, 0);
  image.close();
  canvas.setAttribute("aria-label", picture.alt);
  canvas.hidden = false;
  view.querySelector("img").hidden = true;
  for (const key of ["region", "box"]) {
    const rect = view.querySelector(`.${key}`);
    if (rect) place(rect, picture[key]);
  }
  const others = view.querySelector(".others");
  if (others) {
    others.replaceChildren(
      ...picture.others.map((box) => {
        const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        place(rect, box);
        return rect;
      }),
    );
  }
}

async function look(view) {
  const wanted = view.dataset.live;
  const had = view.number && view.wanted === wanted ? `had=${view.number}` : "";
  const answer = await fetch(`${wanted}${wanted.includes("?") ? "&" : "?"}${had}`, {
    redirect: "manual",
    signal: AbortSignal.timeout(8000),
  });
  if (answer.type === "opaqueredirect") return location.reload(); // logged out
  if (!answer.ok) throw new Error(answer.status);
  const data = new Uint8Array(await answer.arrayBuffer());
  const end = data.indexOf(10);
  const now = JSON.parse(new TextDecoder().decode(data.subarray(0, end)));
  if (data.length > end + 1) {
    draw(view, now.picture, await createImageBitmap(new Blob([data.subarray(end + 1)], { type: "image/jpeg" })));
    view.number = now.picture.number;
    view.wanted = wanted;
  }
  if (!now.picture) view.number = 0;
  view.hidden = !now.picture; // an old picture is none
  if (now.facts.length || !now.picture) tell(now);
  if (now.picture && now.picture.sharpness && wanted === view.dataset.live) measure(now.picture.sharpness);
}

async function watch(view) {
  for (;;) {
    await seen();
    const began = performance.now();
    try {
      await look(view);
    } catch {
      view.hidden = true;
      view.number = 0;
      put(document.getElementById("words"), live.dataset.lost);
      await pause(2000);
    }
    await pause(Math.max(20, view.dataset.every - (performance.now() - began)));
  }
}

const views = [...live.querySelectorAll(".view")];
views.forEach(watch);

// By hand: a tap on the picture, numbers, arrows.
function turn(x, y) {
  const within = (value) => Math.min(100, Math.max(0, Math.round(value * 10) / 10));
  aim.elements.x.value = within(x);
  aim.elements.y.value = within(y);
  show();
}

function show() {
  const { x, y, size } = aim.elements;
  if (!aim.checkValidity() || !x.value || !y.value) return;
  const words = new URLSearchParams({ x: x.value, y: y.value, size: size.value });
  history.replaceState(null, "", `/live/focus?${words}`);
  views[0].dataset.live = `/live/now?${words}`;
  const share = size.value / 100;
  const begin = (middle) => Math.min(1 - share, Math.max(0, middle / 100 - share / 2));
  place(live.querySelector(".part"), [begin(x.value), begin(y.value), share, share]);
  sharpest = 0;
}

views[views.length - 1].addEventListener("click", (event) => {
  const within = event.currentTarget.getBoundingClientRect();
  const x = (100 * (event.clientX - within.left)) / within.width;
  const y = (100 * (event.clientY - within.top)) / within.height;
  if (aim) turn(x, y);
  else location.href = `${live.dataset.focus}?x=${x.toFixed(1)}&y=${y.toFixed(1)}`;
});

if (aim) {
  aim.addEventListener("input", show);
  aim.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });
  aim.addEventListener("click", (event) => {
    const arrow = event.target.closest("[data-right]");
    if (!arrow) return;
    event.preventDefault();
    const step = 0.4 * aim.elements.size.value;
    turn(+aim.elements.x.value + arrow.dataset.right * step, +aim.elements.y.value + arrow.dataset.down * step);
  });
  best.querySelector("button").addEventListener("click", () => {
    sharpest = 0;
  });
}
