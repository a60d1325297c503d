// The page's own behaviour: it asks the server how the work stands, and searches the settings.
(function () {
  "use strict";
  if (window.loraCook) return;
  window.loraCook = true;

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
      if (lastState !== null && pace === IDLE) byId("refresh").click(); // some work is over
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

  ask();
})();
