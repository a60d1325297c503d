// The page's own behaviour: it asks the server how the work stands, and carries what buttons say.
// What belongs to one part of the page has a file of its own; each begins with window.loraCook.
(function () {
  "use strict";
  if (window.loraCook) return;
  window.loraCookSaid = {};

  const BUSY = 1000; // milliseconds between two questions while something is going on
  const SOON = 500;
  const IDLE = 2500;
  const SLOWEST = 30000; // while the server does not answer
  const CHANGES = ["drop", "undo", "cut", "cut_copy", "back", "keeper", "distinct"];
  let wait = BUSY;
  let next = 0;
  let lastBeat = "";
  let lastState = null;
  let away = false; // whether another tab or window has been looked at
  let stale = false; // whether the steps show a dataset that is no longer so

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

  // Buttons in our own HTML speak through one hidden button a channel.
  const listeners = {}; // channel -> what speaks for it instead

  function say(channel, told) {
    stale = stale || CHANGES.includes(told.act);
    window.loraCookSaid[channel] = JSON.stringify(told);
    byId(channel + "_act").click();
  }

  function onPress(pressed) {
    const { say: channel, ...told } = pressed.dataset;
    if (channel in listeners) {
      listeners[channel](told.act, pressed);
      return;
    }
    const paged = byId(channel + "_view") ? byId(channel + "_view").querySelector("[data-page]") : null;
    say(channel, { ...told, page: paged === null ? 0 : Number(paged.dataset.page) });
  }

  document.addEventListener("click", (event) => {
    const changes = "#lora_cook_undo, #lora_cook_empty_trash";
    stale = stale || event.target.closest(changes) !== null;
    const pressed = event.target.closest("#lora_cook_page [data-say]");
    if (pressed !== null) onPress(pressed);
  });

  window.loraCookAnswered = () => {
    if (stale) byId("refresh").click();
    stale = false;
  };

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

  onKey((event) => {
    const dialog = document.querySelector("#lora_cook_page [role=dialog]");
    if (event.key === "Tab" && dialog !== null) goRound(event, dialog);
  });

  // A key without Ctrl, Alt or the like, that nobody has answered yet.
  function onKey(answer) {
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      answer(event);
    });
  }

  // The server has put something new on the page: `answer` is told how to ask where.
  const awaiting = [];
  const onNew = (answer) => awaiting.push(answer);
  const drawn = (node) => node.nodeType === 1 && node.closest(".lora_cook_canvas") !== null;

  new MutationObserver((changes) => {
    const inside = (id) =>
      byId(id) !== null && changes.some((it) => byId(id).contains(it.target) && !drawn(it.target));
    awaiting.forEach((answer) => answer(inside));
  }).observe(document.documentElement, { childList: true, subtree: true });

  window.loraCook = { byId, onScreen, say, onKey, onNew, listeners };
  ask();
})();
