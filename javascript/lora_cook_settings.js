// Cook's settings: they are searched, marked where they differ from the recipe, and remembered.
(function () {
  "use strict";
  const { byId, onScreen, ...page } = window.loraCook;
  if (page.settings) return;
  window.loraCook.settings = true;

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

  // Settings that differ from the recipe are marked; their mark puts them back.
  function marks() {
    const basis = document.querySelector("#lora_cook_basis [data-basis]");
    if (basis === null || byId("page") === null) return;
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
})();
