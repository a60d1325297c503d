// The large cell of the sheet: its keys, two laid over each other, and the way to txt2img.
(function () {
  "use strict";
  const { onKey, onNew, ...page } = window.loraCook;
  if (page.sheet) return;
  window.loraCook.sheet = true;

  const loupe = () => document.querySelector("#lora_cook_sheet_zoom .lora_cook_loupe");
  const prompt = () => document.querySelector("#txt2img_prompt textarea");
  let opened = null; // the number of the cell that had the focus

  onKey((event) => {
    if (loupe() === null || event.target.matches("input, textarea") && event.key !== "Escape") return;
    const button = loupe().querySelector('[data-key="' + CSS.escape(event.key) + '"]');
    if (button === null) return;
    button.click();
    event.preventDefault();
  });

  document.addEventListener("input", (event) => {
    const over = event.target.closest(".lora_cook_loupe");
    if (over === null || event.target.type !== "range") return;
    const top = over.querySelector(".lora_cook_over img + img");
    top.style.clipPath = "inset(0 " + (100 - event.target.value) + "% 0 0)";
  });

  // The WebUI reads a picture's parameters out of its own prompt when its arrow is pressed.
  function send(text) {
    const field = prompt();
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    const paste = document.querySelector("#txt2img_tools #paste, #paste");
    if (paste !== null) setTimeout(() => paste.click(), 100);
    if (typeof window.switch_to_txt2img === "function") window.switch_to_txt2img();
  }

  document.addEventListener("click", (event) => {
    const cell = event.target.closest('[data-say="sheet"][data-act="open"]');
    if (cell !== null) opened = cell.dataset.cell;
    const pressed = event.target.closest(".lora_cook_txt2img");
    if (pressed !== null && prompt() !== null) send(loupe().querySelector("textarea").value);
  });

  onNew((inside) => {
    if (!inside("sheet_zoom")) return;
    if (loupe() !== null) {
      for (const it of loupe().querySelectorAll(".lora_cook_txt2img")) it.hidden = prompt() === null;
      loupe().focus();
    } else if (opened !== null) {
      const cell = document.querySelector('.lora_cook_cell[data-cell="' + opened + '"]');
      if (cell !== null) cell.focus();
      opened = null;
    }
  });
})();
