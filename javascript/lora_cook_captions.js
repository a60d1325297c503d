// The caption editor: a click on a tag filters by it, captions are written in place, and tags are
// offered for what is being typed.
(function () {
  "use strict";
  const { byId, say, onKey, onNew, ...page } = window.loraCook;
  if (page.captions) return;
  window.loraCook.captions = true;

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

  onKey((event) => {
    const offered = typing !== null && event.target === typing;
    if (!offered || !byId("complete_view").matches(".lora_cook_offered")) return;
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
  });

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

  onNew((inside) => {
    if (inside("complete_view")) offer();
  });
})();
