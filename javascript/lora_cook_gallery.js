// The gallery: its keys, its large picture with boxes drawn on it, and the posts of a search.
(function () {
  "use strict";
  const { byId, say, onKey, onNew, listeners, ...page } = window.loraCook;
  if (page.gallery) return;
  window.loraCook.gallery = true;

  const RATES = ["1", "2", "3", "4", "5"];
  const KEYS = { k: "keep", d: "drop", u: "undo", z: "zoom", Enter: "zoom" };
  let place = 0; // the cell that had the focus, to be found again in a new page

  const gallery = () => document.querySelector("#lora_cook_gallery_view .lora_cook_gallery");
  const zoomed = () => document.querySelector("#lora_cook_gallery_zoom .lora_cook_zoom");
  const cells = () => Array.from(gallery() ? gallery().querySelectorAll("figure") : []);
  const cellAt = (target) => target.closest("#lora_cook_gallery_view .lora_cook_gallery figure");
  const pageNow = () => (gallery() ? Number(gallery().dataset.page) : 0);

  function ofGallery(act, name) {
    say(act === "zoom" ? "zoom" : "gallery", { act, name, page: pageNow() });
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

  onKey((event) => {
    if (zoomed() !== null && event.key === "Escape") {
      say("zoom", { act: "close" });
      event.preventDefault();
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
    const cell = cellAt(event.target);
    if (cell !== null) look(cells().indexOf(cell));
    const post = event.target.closest(".lora_cook_posts figure");
    if (post !== null) choose(post);
  });

  document.addEventListener("dblclick", (event) => {
    const cell = cellAt(event.target);
    if (cell !== null) ofGallery("zoom", cell.dataset.name);
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

  // The large picture: boxes are drawn on it, or a click erases the region that it meets.
  let corner = null;
  let erasing = false;
  let boxes = ""; // as they stand in the field, to be found again once a region is erased
  const field = () => zoomed().querySelector(".lora_cook_boxes");
  const floods = () => zoomed().dataset.floods.split(";").filter(Boolean);
  const size = () => [Number(zoomed().dataset.width), Number(zoomed().dataset.height)];

  listeners.zoom = (act, pressed) => {
    const { name } = zoomed().dataset;
    if (act === "erase") {
      erasing = !erasing;
      pressed.setAttribute("aria-pressed", String(erasing));
    } else if (act === "clear") {
      boxes = "";
      field().value = "";
      drawBoxes();
      if (floods().length) say("zoom", { act: "zoom", name, page: pageNow() });
    } else {
      const told = { act, name, page: pageNow(), boxes: field().value, floods: floods() };
      boxes = "";
      say("zoom", told);
    }
  };

  function share(event, picture) {
    const frame = picture.getBoundingClientRect();
    const inside = (value) => Math.max(0, Math.min(1, value));
    return [
      inside((event.clientX - frame.left) / frame.width),
      inside((event.clientY - frame.top) / frame.height),
    ];
  }

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

  // A new page of the gallery, and a picture that opens large, take the focus over.
  function onZoom() {
    field().value = boxes;
    const pressed = zoomed().querySelector('[data-act="erase"]');
    pressed.setAttribute("aria-pressed", String(erasing));
    drawBoxes();
    zoomed().focus();
  }

  function onPage() {
    erasing = false;
    boxes = "";
    look(place);
  }

  onNew((inside) => {
    if (inside("preview_list")) showChosen();
    if (inside("gallery_zoom") && zoomed() !== null) onZoom();
    else if (inside("gallery_view") || inside("gallery_zoom")) onPage();
  });
})();
