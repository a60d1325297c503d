// The page's own behaviour: it asks the server how the work stands, and searches the settings.
(function () {
  "use strict";
  if (window.loraCook) return;
  window.loraCook = true;
  window.loraCookSaid = {};

  const BUSY = 1000; // milliseconds between two questions while something is going on
  const IDLE = 2500;
  const SLOWEST = 30000; // while the server does not answer
  let wait = BUSY;
  let lastBeat = "";
  let lastState = null;

  const byId = (id) => document.getElementById("lora_cook_" + id);
  const onScreen = (element) => element !== null && element.offsetParent !== null;

  function ask() {
    const poll = byId("poll");
    if (poll === null || !onScreen(byId("page")) || document.hidden) {
      setTimeout(ask, BUSY);
      return;
    }
    const mark = document.querySelector("#lora_cook_beat [data-beat]");
    const beat = mark === null ? "" : mark.dataset.beat;
    const answered = beat !== lastBeat || beat === "";
    const pace = mark !== null && mark.dataset.busy === "1" ? BUSY : IDLE;
    wait = answered ? pace : Math.min(2 * wait, SLOWEST);
    lastBeat = beat;
    const state = mark === null ? "" : mark.dataset.mark;
    if (state !== lastState) {
      if (lastState !== null) byId("refresh").click(); // some work has begun, or is over
      lastState = state;
    }
    poll.click();
    setTimeout(ask, wait);
  }

  function search(words) {
    const fold = byId("settings");
    const fits = (setting) => {
      const text = (setting.id + " " + setting.textContent).toLowerCase();
      return words.every((word) => text.includes(word));
    };
    for (const group of fold.querySelectorAll(".lora_cook_group")) {
      let found = false;
      for (const setting of group.querySelectorAll(".lora_cook_setting")) {
        setting.hidden = !fits(setting);
        found = found || !setting.hidden;
      }
      group.hidden = !found;
    }
  }

  document.addEventListener("input", (event) => {
    if (event.target.closest("#lora_cook_search")) {
      search(event.target.value.toLowerCase().split(/\s+/).filter(Boolean));
    }
  });

  // The gallery: what its keys and buttons ask goes to the server through one hidden button.
  const RATES = ["1", "2", "3", "4", "5"];
  const KEYS = { k: "keep", d: "drop", u: "undo", z: "zoom", Enter: "zoom" };
  let stale = false; // whether the steps show a dataset that is no longer so
  let place = 0; // the cell that had the focus, to be found again in a new page

  const gallery = () => document.querySelector("#lora_cook_gallery_view .lora_cook_gallery");
  const zoomed = () => document.querySelector("#lora_cook_gallery_zoom .lora_cook_zoom");
  const cells = () => Array.from(gallery() ? gallery().querySelectorAll("figure") : []);

  function say(act, name) {
    const page = gallery() ? Number(gallery().dataset.page) : 0;
    stale = stale || act === "drop" || act === "undo";
    window.loraCookSaid.gallery = JSON.stringify({ act, name, page });
    byId("gallery_act").click();
  }

  function look(number) {
    const all = cells();
    if (!all.length) return;
    place = Math.max(0, Math.min(number, all.length - 1));
    all.forEach((cell, at) => {
      cell.tabIndex = at === place ? 0 : -1;
      cell.setAttribute("aria-selected", String(at === place));
    });
    all[place].focus();
  }

  function across() {
    const all = cells();
    const top = all[0].offsetTop;
    const next = all.findIndex((cell) => cell.offsetTop !== top);
    return next < 0 ? all.length : next;
  }

  function onGalleryKey(event, cell) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across(), ArrowDown: across() };
    place = cells().indexOf(cell);
    if (event.key in steps) {
      const to = place + steps[event.key];
      if (to < 0 || to >= cells().length) say(to < 0 ? "previous" : "next", "");
      else look(to);
    } else if (event.key in KEYS) say(KEYS[event.key], cell.dataset.name);
    else if (RATES.includes(event.key)) say(event.key, cell.dataset.name);
    else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const zoom = zoomed();
    if (zoom !== null && (event.key === "Escape" || event.key === "z")) {
      say("close", "");
      event.preventDefault();
      return;
    }
    const cell = event.target.closest ? event.target.closest(".lora_cook_gallery figure") : null;
    if (cell !== null) onGalleryKey(event, cell);
  });

  document.addEventListener("click", (event) => {
    const changes = "#lora_cook_undo, #lora_cook_crop";
    stale = stale || event.target.closest(changes) !== null;
    const asked = event.target.closest("#lora_cook_page [data-act]");
    if (asked !== null) say(asked.dataset.act, "");
    const cell = event.target.closest(".lora_cook_gallery figure");
    if (cell !== null) look(cells().indexOf(cell));
  });

  document.addEventListener("dblclick", (event) => {
    const cell = event.target.closest(".lora_cook_gallery figure");
    if (cell !== null) say("zoom", cell.dataset.name);
  });

  // A box drawn on the large picture fills in the fields of the tool that cuts.
  let corner = null;

  function share(event, picture) {
    const frame = picture.getBoundingClientRect();
    const inside = (value) => Math.max(0, Math.min(1, value));
    return [
      inside((event.clientX - frame.left) / frame.width),
      inside((event.clientY - frame.top) / frame.height),
    ];
  }

  function fill(id, text) {
    const field = byId(id) ? byId(id).querySelector("textarea, input") : null;
    if (field === null) return;
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  document.addEventListener("pointerdown", (event) => {
    const canvas = event.target.closest(".lora_cook_canvas");
    if (canvas === null) return;
    corner = share(event, canvas.querySelector("img"));
    event.preventDefault();
  });

  document.addEventListener("pointermove", (event) => {
    const zoom = zoomed();
    if (corner === null || zoom === null) return;
    const [x, y] = share(event, zoom.querySelector("img"));
    const [left, top] = [Math.min(x, corner[0]), Math.min(y, corner[1])];
    const [right, bottom] = [Math.max(x, corner[0]), Math.max(y, corner[1])];
    const drawn = zoom.querySelector(".lora_cook_drawn");
    const percent = (value) => (100 * value).toFixed(2) + "%";
    drawn.hidden = false;
    drawn.style.left = percent(left);
    drawn.style.top = percent(top);
    drawn.style.width = percent(right - left);
    drawn.style.height = percent(bottom - top);
    const [width, height] = [Number(zoom.dataset.width), Number(zoom.dataset.height)];
    const box = [left * width, top * height, right * width, bottom * height].map(Math.round);
    fill("crop_name", zoom.dataset.name);
    fill("crop_box", box.join(","));
  });

  document.addEventListener("pointerup", () => {
    corner = null;
  });

  // A new page of the gallery, and a picture that opens large, take the focus over.
  new MutationObserver((changes) => {
    const inside = (id) => changes.some((it) => byId(id) && byId(id).contains(it.target));
    if (inside("gallery_zoom") && zoomed() !== null) zoomed().focus();
    else if (inside("gallery_view") || inside("gallery_zoom")) look(place);
    if (stale && (inside("gallery_told") || inside("clean_problems"))) {
      stale = false;
      byId("refresh").click();
    }
  }).observe(document.body, { childList: true, subtree: true });

  // Settings that differ from the recipe are marked; their mark puts them back.
  function marks() {
    const basis = document.querySelector("#lora_cook_basis [data-basis]");
    const page = byId("page");
    if (basis === null || page === null) return;
    const values = JSON.parse(basis.dataset.basis);
    for (const name of Object.keys(values)) {
      const setting = byId(name);
      const input = setting === null ? null : setting.querySelector("input, textarea");
      if (input === null) continue;
      const now = input.type === "checkbox" ? input.checked : input.value;
      const differs = now !== values[name];
      setting.classList.toggle("lora_cook_changed", differs);
      if (differs) setting.title = name + ": " + String(values[name]);
      else setting.removeAttribute("title");
    }
  }

  setInterval(() => {
    if (!document.hidden && onScreen(byId("cook"))) marks();
  }, 1500);

  ask();
})();
