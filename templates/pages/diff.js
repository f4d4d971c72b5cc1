"use strict";
(() => {
  const form = document.getElementById("filters");
  const objects = [...document.querySelectorAll("section.object")];
  const entries = new Map([...document.querySelectorAll("li[data-of]")].map((li) => [li.dataset.of, li]));
  const rows = new Map(objects.map((object) => [object, [...object.querySelectorAll("tbody tr")]]));
  const texts = new Map();
  const said = (element) => {
    if (!texts.has(element)) texts.set(element, element.textContent.toLowerCase());
    return texts.get(element);
  };
  const chosen = (name) => new Set([...form.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value));

  const apply = () => {
    const levels = chosen("level");
    const classes = chosen("class");
    const kind = form.elements.kind.value;
    const words = form.elements.text.value.trim().toLowerCase();
    const hideSame = form.elements.same.checked;
    let lines = 0;
    let shown = 0;
    for (const object of objects) {
      const fits = levels.has(object.dataset.level) && (!kind || object.dataset.kind === kind);
      const named = !words || said(object.querySelector("h3")).includes(words);
      let differing = 0;
      for (const row of rows.get(object)) {
        const same = row.dataset.class === "same";
        const on = fits && (named || said(row).includes(words)) && (same ? !hideSame : classes.has(row.dataset.class));
        row.classList.toggle("off", !on);
        if (on && !same) differing += 1;
      }
      object.classList.toggle("off", !differing);
      entries.get(object.id)?.classList.toggle("off", !differing);
      lines += differing;
      if (differing) shown += 1;
    }
    form.querySelector("output").textContent = `${shown} of ${objects.length} shown, ${lines} lines`;
  };

  const follow = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    const object = target.closest("section.object");
    if (object?.classList.contains("off") || target.classList.contains("off")) {
      for (const box of form.querySelectorAll('input[name="level"],input[name="class"]')) box.checked = true;
      form.elements.kind.value = "";
      form.elements.text.value = "";
      apply();
    }
    target.scrollIntoView();
  };

  const step = (by) => {
    const there = objects.filter((object) => !object.classList.contains("off"));
    const at = there.findIndex((object) => object.contains(document.activeElement));
    const next = there[Math.min(Math.max(at + by, 0), there.length - 1)];
    next?.querySelector("a.here").focus();
    next?.scrollIntoView();
  };

  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", follow);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input[type=search], select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "/") {
      event.preventDefault();
      form.elements.text.focus();
    }
  });
  apply();
  follow();
})();
