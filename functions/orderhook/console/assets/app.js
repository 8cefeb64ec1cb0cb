// The console's only script. Without it every page works, and is as old as its last loading.
// It signs in by a link's fragment, asks for a live page again, writes ages, and copies.
// Hooks: body[data-live], [data-part], [data-rows], .age[data-at], time[datetime], button[data-copy="#id"], form[data-preview], [data-told].
"use strict";

const $ = (id) => document.getElementById(id);

// A link may be opened in a tab that already shows the page: only its fragment changes then.
const redeem = () => {
  const form = $("redeem"), code = location.hash.slice(1);
  if (!form || !code) return;
  history.replaceState(null, "", location.pathname);
  form.elements.code.value = code;
  document.querySelector(".told").textContent = "Signing in …";
  form.submit();
};
addEventListener("hashchange", redeem);
redeem();

// A page that Back brings as it was left may be of a session that is over, and is old in any case.
addEventListener("pageshow", ({ persisted }) => persisted && location.replace(location.href));

// Times: the server's clock counts, and what it sends has no "now".
let ahead = 0, heard = Date.now(), timer;
const STEPS = [[60, 1, "s"], [3600, 60, "min"], [172800, 3600, "h"], [Infinity, 86400, "d"]];
const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const ages = () => {
  for (const it of document.querySelectorAll(".age[data-at]")) {
    const passed = Math.floor((Date.now() + ahead - Date.parse(it.dataset.at)) / 1000), isDue = "due" in it.dataset && passed < 0;
    const seconds = Math.max(0, isDue ? -passed : passed);
    const [, size, unit] = STEPS.find(([below]) => seconds < below);
    write(it, `${isDue ? "in " : ""}${Math.floor(seconds / size)} ${unit}${isDue ? "" : " ago"}`);
  }
  for (const it of document.querySelectorAll("time[datetime]:not([data-local])")) {
    it.dataset.local = new Date(it.dateTime).toLocaleString();
    it.title += `, here ${it.dataset.local}`;
  }
};

// Parts: what stays the same stays the same node, so that focus and what is typed stay too. A form never becomes another
// form under somebody's finger, and keeps its own number as long as it stands.
const asks = (form) => [...form.querySelectorAll("[type=hidden]:not([name=once])")].map((it) => it.value).join("\n") + form.action;
const isTouched = (form) => [...form.elements].some((it) => it.defaultValue !== undefined && it.type !== "hidden" && it.value !== it.defaultValue);
const morph = (from, to) => {
  if (from.isEqualNode(to)) return;
  const isForm = from.nodeName === "FORM";
  if (from.nodeName !== to.nodeName || from.id !== to.id || (isForm && asks(from) !== asks(to))) return from.replaceWith(to);
  if (from.nodeType !== Node.ELEMENT_NODE) { from.data = to.data; return; }
  if ((isForm && isTouched(from)) || from.name === "once" || (from.dataset.at && from.dataset.at === to.dataset.at)) return;
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name) && name !== "open") from.removeAttribute(name);
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  const wanted = new Set([...to.children].map((it) => it.id));
  for (const it of [...from.children]) if (it.id && !wanted.has(it.id)) it.remove();
  const known = new Map([...from.children].filter((it) => it.id).map((it) => [it.id, it]));
  let at = from.firstChild;
  for (const next of [...to.childNodes]) {
    const same = known.get(next.id) ?? (at && !at.id && !next.id ? at : null);
    if (!same) { from.insertBefore(next, at); continue; }
    if (same === at) at = at.nextSibling; else from.insertBefore(same, at);
    morph(same, next);
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
};

// New rows wait where somebody reads: below the top of the page, or with the focus among them.
let latest = "";
const show = (all) => {
  const page = new DOMParser().parseFromString(latest, "text/html");
  let waiting = 0;
  document.title = page.title;
  for (const to of page.querySelectorAll("[data-part]")) {
    const from = document.querySelector(`[data-part="${to.dataset.part}"]`);
    if (!from) continue;
    if (all || !("rows" in to.dataset) || !(scrollY > 0 || from.contains(document.activeElement))) { morph(from, to); continue; }
    for (const row of to.querySelectorAll("tr[id]")) if ($(row.id)) morph($(row.id), row); else waiting += 1;
  }
  write($("new-rows"), `${waiting} new`);
  $("new-rows").hidden = !waiting;
  ages();
};

// Live: every few seconds while somebody looks, once a minute for the title where nobody does.
let tag = document.body.dataset.live;
const stale = (text) => {
  document.body.classList.toggle("stale", Boolean(text));
  write($("not-live"), text);
  $("not-live").hidden = !text;
};
const poll = async () => {
  clearTimeout(timer);
  let next = document.hidden ? 60000 : 2500;
  try {
    const answer = await fetch(location.href, { headers: { "X-Poll": "1", "If-None-Match": tag }, redirect: "error", signal: AbortSignal.timeout(10000) });
    if (answer.status === 401) return stale("You are signed out, and this is not live: load the page again to sign in.");
    if (answer.status !== 304 && !answer.ok) throw new Error(answer.status);
    if (answer.ok) { latest = await answer.text(); tag = answer.headers.get("ETag"); show(false); }
    heard = Date.now();
    ahead = Date.parse(answer.headers.get("Date")) - heard || 0;
    stale("");
  } catch {
    const as = new Date(heard + ahead).toLocaleTimeString("en-GB", { timeZone: "America/New_York" });
    stale(`Not live, as of ${as} New York: orderhook does not answer.`);
  }
  timer = setTimeout(poll, next);
};
ages();
setInterval(ages, 1000);
if (tag) {
  poll();
  addEventListener("visibilitychange", () => document.hidden || poll());
  $("new-rows").addEventListener("click", () => { show(true); scrollTo(0, 0); $("content").focus(); });
}
addEventListener("click", async ({ target }) => {
  const button = target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent);
  write(button, "Copied");
});

// A form that tells what it would do while it is filled in: its answer's [data-told] take the place of those here.
const asking = document.querySelector("form[data-preview]");
let asked = 0, pause;
const preview = async () => {
  const turn = ++asked, body = new URLSearchParams(new FormData(asking));
  const answer = await fetch(asking.getAttribute("action"), { method: "POST", body }).catch(() => null);
  const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
  if (page && turn === asked) for (const it of document.querySelectorAll("[data-told]")) morph(it, page.getElementById(it.id) ?? it);
};
asking?.addEventListener("input", ({ target }) => {
  for (const it of document.querySelectorAll("[data-told] [data-copy]")) it.disabled = true;
  clearTimeout(pause);
  if ("submits" in target.dataset) asking.requestSubmit(asking.querySelector("[value=fields]"));
  else pause = setTimeout(preview, 300);
});
