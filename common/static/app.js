// Every page works without this.  With it: times in the reader's zone, parts that
// keep themselves up to date, no form sent twice.
(() => {
  "use strict";
  const doc = document;
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime*=T]:not([title])")) {
      const moment = new Date(time.dateTime);
      if (isNaN(moment)) continue;
      time.title = time.dateTime.slice(0, 19).replace("T", " ") + " UTC";
      time.textContent = ("clock" in time.dataset ? clock : full).format(moment);
    }
  };

  // A part with data-live="2" is fetched again every two seconds while it is there and seen.
  let timer = 0;
  const parts = (root) => [...root.querySelectorAll("[data-live]")];
  const isBusy = (part) => part.contains(doc.activeElement) || part.querySelector("details[open]");
  const plan = (failures) => {
    const [part] = parts(doc);
    clearTimeout(timer);
    if (part) timer = setTimeout(refresh, Math.min(part.dataset.live * 2 ** failures, 60) * 1000, failures);
  };
  const refresh = async (failures) => {
    if (doc.hidden) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected) return location.reload();
      if (!answer.ok) throw answer;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      localise(page);
      const fresh = parts(page);
      if (fresh.length) parts(doc).forEach((part, i) => isBusy(part) || part.replaceWith(fresh[i]));
      else doc.querySelector("main").replaceWith(page.querySelector("main"));
      plan(0);
    } catch {
      plan(failures + 1);
    }
  };
  doc.addEventListener("visibilitychange", () => parts(doc)[0] && refresh(0));

  doc.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    // After the browser has read the form: a disabled button would not be sent with it.
    setTimeout(() => form.querySelectorAll("button").forEach((button) => (button.disabled = true)));
  });
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  doc.addEventListener("formdata", (event) => {
    const sent = event.formData;
    if (event.target.method === "get") for (const [name, value] of [...sent]) value || sent.delete(name);
  });

  const close = (kept) => {
    for (const each of doc.querySelectorAll("details.confirm[open]")) if (each !== kept) each.open = false;
  };
  doc.addEventListener("click", (event) => close(event.target.closest("details.confirm")));
  doc.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && doc.querySelector("details.confirm[open]");
    if (open) close(), open.querySelector("summary").focus();
  });

  localise(doc);
  plan(0);
})();
