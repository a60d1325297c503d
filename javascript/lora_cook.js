// The page's own behaviour: it asks the server how the work stands, and searches the settings.
(function () {
  "use strict";
  if (window.loraCook) return;
  window.loraCook = true;
  window.loraCookSaid = {};

  const BUSY = 1000; // milliseconds between two questions while something is going on
  const SOON = 500;
  const IDLE = 2500;
  const SLOWEST = 30000; // while the server does not answer
  let wait = BUSY;
  let next = 0;
  let lastBeat = "";
  let lastState = null;
  let away = false; // whether another tab or window has been looked at

  const byId = (id) => document.getElementById("lora_cook_" + id);
  const onScreen = (element) => element !== null && element.offsetParent !== null;

  // gradio leaves a few controls without a name for screen readers: their block's label it is. In
  // gradio 3 the heads of folds can be reached by the mouse alone.
  function nameAll() {
    for (const it of byId("page").querySelectorAll("input, textarea")) {
      const block = it.closest("[id^=lora_cook_]");
      if (it.getAttribute("aria-label") || (it.labels && it.labels.length) || block === null) continue;
      const told = Array.from(block.querySelectorAll("label, span"), (label) => label.textContent.trim());
      const name = told.find(Boolean);
      if (name) it.setAttribute("aria-label", name);
    }
    for (const it of byId("page").querySelectorAll("div.label-wrap")) {
      it.tabIndex = 0;
      it.setAttribute("role", "button");
      it.setAttribute("aria-expanded", String(it.matches(".open")));
    }
  }

  document.addEventListener("keydown", (event) => {
    if (!event.target.matches("#lora_cook_page div.label-wrap") || !" Enter".includes(event.key)) return;
    event.target.click();
    event.preventDefault();
  });

  function ask() {
    const poll = byId("poll");
    if (poll === null || !onScreen(byId("page")) || document.hidden) {
      away = true;
      askIn(BUSY);
      return;
    }
    if (away && lastState !== null) byId("refresh").click(); // pictures may have come meanwhile
    away = false;
    nameAll();
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
    askIn(wait);
  }

  function askIn(milliseconds) {
    clearTimeout(next);
    next = setTimeout(ask, milliseconds);
  }

  // What a press begins is seen soon, even if it is over at once.
  document.addEventListener("click", (event) => {
    if (event.isTrusted && event.target.closest("#lora_cook_page button") !== null) askIn(SOON);
  });

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
    for (const setting of document.querySelectorAll("#lora_cook_page .lora_cook_main .lora_cook_setting")) {
      setting.classList.toggle("lora_cook_found", words.length > 0 && fits(setting));
    }
  }

  document.addEventListener("input", (event) => {
    if (event.target.closest("#lora_cook_search")) {
      search(event.target.value.toLowerCase().split(/\s+/).filter(Boolean));
    }
  });

  // Buttons in our own HTML speak through one hidden button a channel; so do the gallery's keys.
  const RATES = ["1", "2", "3", "4", "5"];
  const KEYS = { k: "keep", d: "drop", u: "undo", z: "zoom", Enter: "zoom" };
  const CHANGES = ["drop", "undo", "cut", "cut_copy", "back", "keeper", "distinct"];
  let stale = false; // whether the steps show a dataset that is no longer so
  let place = 0; // the cell that had the focus, to be found again in a new page

  const gallery = () => document.querySelector("#lora_cook_gallery_view .lora_cook_gallery");
  const zoomed = () => document.querySelector("#lora_cook_gallery_zoom .lora_cook_zoom");
  const cells = () => Array.from(gallery() ? gallery().querySelectorAll("figure") : []);

  function say(channel, told) {
    stale = stale || CHANGES.includes(told.act);
    window.loraCookSaid[channel] = JSON.stringify(told);
    byId(channel + "_act").click();
  }

  function ofGallery(act, name) {
    const page = gallery() ? Number(gallery().dataset.page) : 0;
    if (act === "zoom") say("zoom", { act, name, page });
    else say("gallery", { act, name, page });
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
      if (to < 0 || to >= cells().length) ofGallery(to < 0 ? "previous" : "next", "");
      else look(to);
    } else if (event.key in KEYS) ofGallery(KEYS[event.key], cell.dataset.name);
    else if (RATES.includes(event.key)) ofGallery(event.key, cell.dataset.name);
    else return;
    event.preventDefault();
  }

  // In a dialog Tab goes round among its own controls.
  function goRound(event, dialog) {
    const stops = Array.from(dialog.querySelectorAll("button, input, textarea, summary")).filter(
      (it) => onScreen(it) && !it.disabled,
    );
    const at = stops.indexOf(document.activeElement);
    const last = stops.length - 1;
    if (at > 0 && at < last) return;
    if (event.shiftKey && at <= 0) stops[last].focus();
    else if (!event.shiftKey && (at < 0 || at === last)) stops[0].focus();
    else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const dialog = document.querySelector("#lora_cook_page [role=dialog]");
    if (event.key === "Tab" && dialog !== null) {
      goRound(event, dialog);
      return;
    }
    if (zoomed() !== null && event.key === "Escape") {
      say("zoom", { act: "close" });
      event.preventDefault();
      return;
    }
    if (typing !== null && event.target === typing && byId("complete_view").matches(".lora_cook_offered")) {
      onOfferKey(event);
      return;
    }
    const cell = event.target.closest ? event.target.closest(".lora_cook_gallery figure") : null;
    if (cell === null) return;
    if (cell.dataset.post === undefined) onGalleryKey(event, cell);
    else if (event.key === "Enter" || event.key === " ") {
      choose(cell);
      event.preventDefault();
    }
  });

  document.addEventListener("click", (event) => {
    const changes = "#lora_cook_undo, #lora_cook_empty_trash";
    stale = stale || event.target.closest(changes) !== null;
    const pressed = event.target.closest("#lora_cook_page [data-say]");
    if (pressed !== null) onPress(pressed);
    const cell = event.target.closest("#lora_cook_gallery_view .lora_cook_gallery figure");
    if (cell !== null) look(cells().indexOf(cell));
    const post = event.target.closest(".lora_cook_posts figure");
    if (post !== null) choose(post);
  });

  // Posts of a search: those that are chosen are fetched alone.
  let posts = [];

  function choose(post) {
    const { post: number } = post.dataset;
    posts = posts.includes(number) ? posts.filter((it) => it !== number) : [...posts, number];
    showChosen();
  }

  function showChosen() {
    const all = Array.from(document.querySelectorAll(".lora_cook_posts figure"));
    posts = posts.filter((it) => all.some((post) => post.dataset.post === it));
    all.forEach((it) => it.setAttribute("aria-selected", String(posts.includes(it.dataset.post))));
    window.loraCookSaid.gather = JSON.stringify({ posts });
    const told = document.querySelector("#lora_cook_preview_list [data-chosen]");
    if (told === null) return;
    if (!told.dataset.all) told.dataset.all = told.textContent;
    const { all: none, chosen } = told.dataset;
    const text = posts.length ? chosen.replace("#", posts.length) : none;
    if (told.textContent !== text) told.textContent = text;
  }

  function onPress(pressed) {
    const { say: channel, ...told } = pressed.dataset;
    if (channel === "zoom") {
      onZoomPress(told.act, pressed);
      return;
    }
    const paged = byId(channel + "_view") ? byId(channel + "_view").querySelector("[data-page]") : null;
    say(channel, { ...told, page: paged === null ? 0 : Number(paged.dataset.page) });
  }

  document.addEventListener("dblclick", (event) => {
    const cell = event.target.closest("#lora_cook_gallery_view .lora_cook_gallery figure");
    if (cell !== null) ofGallery("zoom", cell.dataset.name);
  });

  // The large picture: boxes are drawn on it, or a click erases the region that it meets.
  let corner = null;
  let erasing = false;
  let boxes = ""; // as they stand in the field, to be found again once a region is erased
  const field = () => zoomed().querySelector(".lora_cook_boxes");
  const floods = () => zoomed().dataset.floods.split(";").filter(Boolean);

  function onZoomPress(act, pressed) {
    const { name } = zoomed().dataset;
    const page = gallery() ? Number(gallery().dataset.page) : 0;
    if (act === "erase") {
      erasing = !erasing;
      pressed.setAttribute("aria-pressed", String(erasing));
    } else if (act === "clear") {
      boxes = "";
      field().value = "";
      drawBoxes();
      if (floods().length) say("zoom", { act: "zoom", name, page });
    } else {
      const told = { act, name, page, boxes: field().value, floods: floods() };
      boxes = "";
      say("zoom", told);
    }
  }

  function share(event, picture) {
    const frame = picture.getBoundingClientRect();
    const inside = (value) => Math.max(0, Math.min(1, value));
    return [
      inside((event.clientX - frame.left) / frame.width),
      inside((event.clientY - frame.top) / frame.height),
    ];
  }

  const size = () => [Number(zoomed().dataset.width), Number(zoomed().dataset.height)];

  function drawBoxes() {
    const canvas = zoomed().querySelector(".lora_cook_canvas");
    canvas.querySelectorAll(".lora_cook_drawn").forEach((it) => it.remove());
    const [width, height] = size();
    for (const part of field().value.split(";")) {
      const [left, top, right, bottom] = part.split(",").map(Number);
      if (!(right > left && bottom > top)) continue;
      const drawn = canvas.appendChild(document.createElement("i"));
      drawn.className = "lora_cook_drawn";
      drawn.style.left = (100 * left) / width + "%";
      drawn.style.top = (100 * top) / height + "%";
      drawn.style.width = (100 * (right - left)) / width + "%";
      drawn.style.height = (100 * (bottom - top)) / height + "%";
    }
  }

  function boxTo(event) {
    const [x, y] = share(event, zoomed().querySelector("img"));
    const [width, height] = size();
    const [left, right] = [Math.min(x, corner.x), Math.max(x, corner.x)];
    const [top, bottom] = [Math.min(y, corner.y), Math.max(y, corner.y)];
    return [left * width, top * height, right * width, bottom * height].map(Math.round);
  }

  document.addEventListener("pointerdown", (event) => {
    const canvas = event.target.closest(".lora_cook_canvas");
    if (canvas === null) return;
    const [x, y] = share(event, canvas.querySelector("img"));
    if (erasing) {
      const [width, height] = size();
      const at = [Math.min(x * width, width - 1), Math.min(y * height, height - 1)].map(Math.floor);
      const flood = [...at, zoomed().querySelector(".lora_cook_tolerance").value || "16"].join(",");
      boxes = field().value;
      say("zoom", { act: "zoom", name: zoomed().dataset.name, floods: [...floods(), flood] });
    } else corner = { x, y, before: field().value.replace(/[;\s]+$/, "") };
    event.preventDefault();
  });

  document.addEventListener("pointermove", (event) => {
    if (corner === null || zoomed() === null) return;
    const [left, top, right, bottom] = boxTo(event);
    if (right - left < 4 || bottom - top < 4) return;
    const box = [left, top, right, bottom].join(",");
    field().value = corner.before ? corner.before + "; " + box : box;
    drawBoxes();
  });

  document.addEventListener("pointerup", () => {
    corner = null;
  });

  document.addEventListener("input", (event) => {
    if (event.target.closest(".lora_cook_boxes") !== null) drawBoxes();
  });

  // The caption editor: a click on a tag filters by it, captions are written in place, and tags
  // are offered for what is being typed.
  const LISTED = 250; // milliseconds until gradio has taken up what was typed into a field
  const TYPED = 120; // milliseconds without a key until tags are asked for
  let typing = null; // the caption that tags are offered for
  let soon = 0;

  const offers = () => Array.from(byId("complete_view").querySelectorAll("[data-complete]"));
  const tagsOf = (text) => text.split(",").map((it) => it.trim()).filter(Boolean);

  function fill(id, text) {
    const target = byId(id).querySelector("textarea, input");
    target.value = text;
    target.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function filterBy(tag, without) {
    const id = without ? "edit_lacking" : "edit_having";
    const tags = tagsOf(byId(id).querySelector("textarea, input").value);
    const rest = tags.filter((it) => it !== tag);
    fill(id, (rest.length < tags.length ? rest : [...tags, tag]).join(", "));
    setTimeout(() => byId("edit_open").click(), LISTED);
  }

  function around(caption) {
    const caret = caption.selectionStart;
    const start = caption.value.lastIndexOf(",", caret - 1) + 1;
    const comma = caption.value.indexOf(",", caret);
    return [start, comma < 0 ? caption.value.length : comma];
  }

  const typedIn = (caption) =>
    caption.value.slice(around(caption)[0], caption.selectionStart).trim();

  function askFor(caption) {
    typing = caption;
    const [start, end] = around(caption);
    const typed = typedIn(caption);
    const others = caption.value.slice(0, start) + caption.value.slice(end);
    clearTimeout(soon);
    soon = setTimeout(() => say("complete", { act: "complete", typed, others }), TYPED);
  }

  function stopOffering() {
    clearTimeout(soon);
    typing = null;
    if (byId("complete_view")) byId("complete_view").classList.remove("lora_cook_offered");
  }

  function offer() {
    const list = byId("complete_view");
    const wanted = typing !== null && document.activeElement === typing && offers().length > 0;
    list.classList.toggle("lora_cook_offered", wanted);
    if (!wanted) return;
    const frame = typing.getBoundingClientRect();
    list.style.left = frame.left + "px";
    list.style.top = frame.bottom + "px";
    mark(0);
  }

  function mark(number) {
    offers().forEach((it, at) => it.setAttribute("aria-selected", String(at === number)));
  }

  function take(tag) {
    const caption = typing;
    const [start, end] = around(caption);
    const before = caption.value.slice(0, start) + (start > 0 ? " " : "") + tag;
    const after = caption.value.slice(end) || ", ";
    caption.value = before + after;
    const caret = before.length + (after === ", " ? 2 : 0);
    caption.setSelectionRange(caret, caret);
    stopOffering();
    caption.focus();
  }

  function onOfferKey(event) {
    const all = offers();
    const at = all.findIndex((it) => it.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") mark(Math.min(at + 1, all.length - 1));
    else if (event.key === "ArrowUp") mark(Math.max(at - 1, 0));
    else if (event.key === "Enter" || event.key === "Tab") {
      // What is offered for fewer letters than are typed by now is not what is meant.
      if (all[at].dataset.typed === typedIn(typing)) take(all[at].dataset.complete);
      else if (event.key === "Tab") return;
    } else if (event.key === "Escape") stopOffering();
    else return;
    event.preventDefault();
  }

  document.addEventListener("input", (event) => {
    if (event.target.matches("textarea[data-row]")) askFor(event.target);
  });

  document.addEventListener("change", (event) => {
    const { row, choose } = event.target.dataset || {};
    if (choose !== undefined) say("editor", { act: "choose", row: Number(choose) });
    if (row === undefined) return;
    event.target.closest(".lora_cook_row").classList.add("lora_cook_changed");
    say("editor", { act: "write", row: Number(row), text: event.target.value });
  });

  document.addEventListener("focusout", (event) => {
    if (event.target === typing) setTimeout(stopOffering, TYPED);
  });

  document.addEventListener("mousedown", (event) => {
    const offered = event.target.closest("[data-complete]");
    if (offered === null || typing === null) return;
    take(offered.dataset.complete);
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const chip = event.target.closest(".lora_cook_chip[data-tag]");
    if (chip !== null) filterBy(chip.dataset.tag, event.shiftKey);
  });

  // A new page of the gallery, and a picture that opens large, take the focus over.
  function onZoom() {
    field().value = boxes;
    const pressed = zoomed().querySelector('[data-act="erase"]');
    pressed.setAttribute("aria-pressed", String(erasing));
    drawBoxes();
    zoomed().focus();
  }

  new MutationObserver((changes) => {
    const inside = (id) =>
      changes.some((it) => byId(id) && byId(id).contains(it.target) && !ours(it.target));
    if (inside("preview_list")) showChosen();
    if (inside("complete_view")) offer();
    if (inside("gallery_zoom") && zoomed() !== null) onZoom();
    else if (inside("gallery_view") || inside("gallery_zoom")) {
      erasing = false;
      boxes = "";
      look(place);
    }
  }).observe(document.documentElement, { childList: true, subtree: true });

  window.loraCookAnswered = () => {
    if (stale) byId("refresh").click();
    stale = false;
  };

  const ours = (node) => node.nodeType === 1 && node.closest(".lora_cook_canvas") !== null;

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
      markOf(setting, name, differs, basis.dataset.putBack + ": " + String(values[name]));
    }
  }

  function markOf(setting, name, differs, label) {
    const there = setting.querySelector(".lora_cook_back");
    if (there !== null && !differs) there.remove();
    if (!differs) return;
    const mark = there || document.createElement("button");
    mark.title = label;
    if (there !== null) return;
    mark.type = "button";
    mark.className = "lora_cook_back";
    mark.textContent = "↺";
    mark.setAttribute("aria-label", name + ". " + label);
    Object.assign(mark.dataset, { say: "one", act: "put_back", name });
    setting.append(mark);
  }

  // What is typed into Cook is kept and planned, without a listener for each of its many settings.
  let typed = null;
  function remember() {
    const inputs = byId("cook").querySelectorAll(".lora_cook_setting :is(input, textarea)");
    const value = (it) => (it.type === "checkbox" ? it.checked : it.value);
    const now = Array.from(inputs, value).join("\n");
    if (now !== typed) byId("remember").click(); // the plan is counted anew by the same press
    typed = now;
  }

  setInterval(() => {
    if (document.hidden || !onScreen(byId("cook"))) return;
    marks();
    remember();
  }, 800);

  ask();
})();
