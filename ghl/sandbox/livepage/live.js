// Keeps a page as what it shows. The server sends HTML of regions to data-live-at;
// lists in it (data-list) are taken over item by item, so that what did not change
// keeps its focus and stays open, and what did can be seen.
"use strict";

const known = new Map(); // what the server last sent, by the item's id
const items = (root) => [...root.querySelectorAll("[data-list] > [id]")];
for (const item of items(document)) known.set(item.id, item.outerHTML);

const state = document.getElementById("state");

function flash(item, how) {
  item.classList.add(how);
  setTimeout(() => item.classList.remove(how), 2500);
}

// fade leaves a deleted item to be seen for a moment.
function fade(item) {
  item.removeAttribute("id");
  item.querySelector("[popover]")?.remove();
  item.inert = true;
  item.classList.add("gone");
  setTimeout(() => item.remove(), 2500);
}

// keepOpen opens in an item what the reader has open in its predecessor.
function keepOpen(old, item) {
  if (old.querySelector("details")?.open) item.querySelector("details").open = true;
  const popover = item.querySelector("[popover]");
  if (popover && old.querySelector("[popover]")?.matches(":popover-open")) {
    queueMicrotask(() => popover.showPopover());
  }
}

// typing tells whether the reader is writing into an item: it waits.
const typing = (item) => item?.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");

// take brings one list to the state of a newer one, and tells by the items' new
// markup which of them changed.
function take(list, newer, markup) {
  const staying = new Set([...newer.children].map((item) => item.id));
  for (const item of [...list.children]) {
    if (!item.id || staying.has(item.id)) continue;
    if (list.hasAttribute("data-fade") && !markup.has(item.id)) fade(item);
    else item.remove();
  }
  let place = list.firstElementChild;
  const skipGone = () => { while (place?.classList.contains("gone")) place = place.nextElementSibling; };
  for (const fresh of [...newer.children]) {
    skipGone();
    const old = [...list.children].find((item) => item.id === fresh.id);
    if (typing(old)) markup.set(fresh.id, known.get(fresh.id));
    if (old && known.get(fresh.id) === markup.get(fresh.id)) {
      if (old === place) place = place.nextElementSibling;
      else list.insertBefore(old, place);
      continue;
    }
    const focused = old?.contains(document.activeElement);
    if (old === place) place = place?.nextElementSibling ?? null;
    list.insertBefore(fresh, place);
    flash(fresh, known.has(fresh.id) ? "changed" : "new");
    if (old) {
      keepOpen(old, fresh);
      old.remove();
      if (focused) fresh.querySelector("button, summary, a")?.focus();
    }
  }
}

function show(regions) {
  const template = document.createElement("template");
  template.innerHTML = regions.join("");
  const lists = [...template.content.querySelectorAll("[data-list]")];
  if (lists.some((list) => !document.getElementById(list.id))) {
    location.reload(); // the week has moved on
    return;
  }
  const markup = new Map(items(template.content).map((item) => [item.id, item.outerHTML]));
  for (const list of lists) take(document.getElementById(list.id), list, markup);
  for (const [id, html] of markup) known.set(id, html);
  for (const id of known.keys()) if (!document.getElementById(id)) known.delete(id);
  for (const day of template.content.querySelectorAll(".day")) document.getElementById(day.id).className = day.className;
}

const live = new EventSource(document.body.dataset.liveAt + location.search);
live.onmessage = (event) => {
  show(JSON.parse(event.data));
  document.documentElement.dataset.live = "yes";
  state.textContent = "live";
};
live.onerror = () => {
  document.documentElement.dataset.live = "no";
  state.textContent = "not live: nobody answers";
};
addEventListener("pagehide", () => live.close());
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// Buttons work without a new page: what they did comes live.
document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const said = form.querySelector("output") ?? form.appendChild(document.createElement("output"));
  said.textContent = "";
  try {
    const answer = await fetch(form.action, {
      method: "POST", redirect: "manual", body: new URLSearchParams(new FormData(form, event.submitter)),
    });
    if (answer.type !== "opaqueredirect") said.textContent = await answer.text();
  } catch {
    said.textContent = "nobody answers";
  }
});

// What a closed item links to (data-inline) comes when it is asked for.
document.addEventListener("toggle", async (event) => {
  const link = event.target.open && event.target.querySelector("a[data-inline]");
  if (!link) return;
  const pre = document.createElement("pre");
  try {
    pre.textContent = readable(await (await fetch(link.href)).json());
  } catch {
    return; // the link is still there
  }
  link.replaceWith(pre);
}, true);

// readable shows JSON within JSON as what it is.
function readable(request) {
  for (const name of ["body", "answer"]) {
    try { request[name] = JSON.parse(request[name]); } catch { /* it is text */ }
  }
  return JSON.stringify(request, null, 2);
}
