// Every page works without this.  With it: times in the reader's zone, parts that
// keep themselves up to date, no form sent twice.
(() => {
  "use strict";
  const doc = document;
  const all = (root, selector) => [...root.querySelectorAll(selector)];
  const language = doc.documentElement.lang;
  const locale = navigator.languages.find((each) => each.startsWith(language)) ?? language;
  const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short" });

  const localise = (root) => {
    for (const time of all(root, "time[datetime*=T]:not([title])")) {
      const moment = new Date(time.dateTime);
      if (isNaN(moment)) continue;
      time.title = time.dateTime.slice(0, 19).replace("T", " ") + " UTC";
      time.textContent = ("clock" in time.dataset ? clock : full).format(moment).replace(/\sг\./, "");
    }
  };

  // A part with data-live="2" is fetched again every two seconds while it is there and seen.
  let timer = 0;
  const live = "[data-live]";
  const stops = "a, button, summary";
  const swap = (part, fresh) => {
    if (part.querySelector("details[open], :is(input, select, textarea):focus")) return;
    const at = all(part, stops).indexOf(doc.activeElement);
    part.replaceWith(fresh);
    all(fresh, stops)[at]?.focus();
  };
  const plan = (failures) => {
    const [part] = all(doc, live);
    clearTimeout(timer);
    if (part) timer = setTimeout(refresh, Math.min(part.dataset.live * 2 ** failures, 60) * 1000, failures);
  };
  const refresh = async (failures) => {
    if (doc.hidden) return;
    try {
      const answer = await fetch(location.href);
      if (answer.redirected) return location.reload();
      if (!answer.ok) throw answer;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      localise(page);
      const fresh = all(page, live);
      if (fresh.length) all(doc, live).forEach((part, i) => swap(part, fresh[i]));
      else doc.querySelector("main").replaceWith(page.querySelector("main"));
      plan(0);
    } catch {
      plan(failures + 1);
    }
  };
  doc.addEventListener("visibilitychange", () => all(doc, live)[0] && refresh(0));

  // A button with data-into="id" shows its answer's part of that id here; a chosen file stays.
  const into = async (form, button) => {
    const body = new FormData(form, button); // before the button is disabled, or it is left out
    button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "post", body });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const part = page.getElementById(button.dataset.into);
      const problem = page.querySelector(".problem, .oops h1");
      doc.querySelector(".problem")?.remove();
      if (problem) doc.querySelector("main").prepend(problem);
      doc.getElementById(button.dataset.into).replaceChildren(...(part?.childNodes ?? []));
    } finally {
      button.disabled = false;
    }
  };

  doc.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (event.submitter?.dataset.into) {
      event.preventDefault();
      return into(form, event.submitter);
    }
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    // Later, since the browser sends no disabled button.
    setTimeout(() => all(form, "button").forEach((button) => (button.disabled = true)));
  });
  addEventListener("pageshow", (event) => event.persisted && location.reload());

  // Of the open questions only the one in use stays open.
  const close = (kept) => all(doc, ".confirm[open]").forEach((each) => (each.open = each === kept));
  doc.addEventListener("click", (event) => close(event.target.closest(".confirm")));
  doc.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    doc.querySelector(".confirm[open] > summary")?.focus();
    close();
  });

  localise(doc);
  plan(0);
})();
