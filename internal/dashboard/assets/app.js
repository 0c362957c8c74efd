// What pages do beyond what HTML does: times in the viewer's zone, and parts that are
// replaced as they change. Without it everything works, in UTC and after a reload.
"use strict";
(() => {
	const two = n => String(n).padStart(2, "0");

	// A <time> has UTC in its title; its text becomes the time here.
	function local(root) {
		for (const el of root.querySelectorAll("time[datetime]")) {
			const t = new Date(el.dateTime), now = new Date();
			const day = `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} `;
			el.textContent = (t.toDateString() === now.toDateString() ? "" : day) + `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
		}
	}
	local(document);

	// The note is about what was just done: a reload does not tell it again.
	const here = new URL(location.href);
	if (here.searchParams.has("note")) {
		here.searchParams.delete("note");
		history.replaceState(null, "", here);
	}
	if (!("frame" in document.body.dataset)) return;

	// While a button is down nothing is replaced: the click would hit nothing.
	let down = false, waiting = {};
	function place() {
		if (down) return;
		for (const [name, html] of Object.entries(waiting)) {
			const el = document.getElementById("part-" + name);
			if (!el) continue;
			const focus = el.contains(document.activeElement) ? document.activeElement.id : "";
			el.innerHTML = html;
			local(el);
			if (focus) document.getElementById(focus)?.focus();
		}
		waiting = {};
	}
	const press = () => { down = true; }, lift = () => setTimeout(() => { down = false; place(); });
	addEventListener("pointerdown", press);
	addEventListener("pointerup", lift);
	addEventListener("pointercancel", lift);
	addEventListener("keydown", press);
	addEventListener("keyup", lift);
	addEventListener("blur", lift);

	// The page of an event that is on its way is fetched anew when something has
	// changed, which may be that.
	let fetching = false, more = false;
	async function refresh() {
		const main = document.querySelector("main[data-fresh]");
		if (!main) return;
		if (fetching) { more = true; return; }
		fetching = true;
		more = false;
		try {
			const r = await fetch(location.href);
			const next = r.ok && !r.redirected && new DOMParser().parseFromString(await r.text(), "text/html").querySelector("main");
			if (next) {
				main.replaceWith(next);
				local(next);
			}
		} catch {
			// The stream tells that there is no connection, and brings a frame when there is.
		}
		setTimeout(() => {
			fetching = false;
			if (more) refresh();
		}, 2000);
	}

	let heard = new Date();
	const stale = document.getElementById("stale");
	function connected(yes) {
		document.body.classList.toggle("stale", !yes);
		stale.hidden = yes;
		if (yes) return;
		stale.textContent = `No connection to ghlsync: what is shown is as of ${two(heard.getHours())}:${two(heard.getMinutes())}:${two(heard.getSeconds())}.`;
		document.title = `? no connection – ${document.body.dataset.title} – ghlsync`;
	}

	let source, again, silence, title = document.title;
	function alive() {
		heard = new Date();
		clearTimeout(silence);
		silence = setTimeout(() => { lost(); open(); }, 30000);
		if (document.body.classList.contains("stale")) connected(true);
		document.title = title;
		if (document.hidden) rest();
	}
	function lost() {
		if (!document.body.classList.contains("stale")) connected(false);
	}
	function open() {
		close();
		source = new EventSource("/live?frame=" + document.body.dataset.frame);
		source.addEventListener("frame", e => {
			const m = JSON.parse(e.data);
			title = `${m.title} – ${document.body.dataset.title} – ghlsync`;
			document.body.dataset.frame = m.name;
			Object.assign(waiting, m.parts);
			place();
			refresh();
			if (m.points) dispatchEvent(new CustomEvent("points", {detail: m.points}));
			alive();
		});
		source.addEventListener("beat", alive);
		source.addEventListener("error", () => {
			lost();
			if (document.hidden) rest();
			// A refusal ends a source for good; it may be taken later.
			else if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 5000);
		});
	}
	function close() {
		clearTimeout(again);
		clearTimeout(silence);
		source?.close();
	}
	// Browsers open six connections to a server: pages that nobody sees take none, and
	// look now and then for what their title says.
	function rest() {
		close();
		again = setTimeout(open, 30000);
	}
	document.addEventListener("visibilitychange", () => document.hidden ? rest() : open());
	addEventListener("pagehide", close);
	addEventListener("pageshow", e => { if (e.persisted) open(); });
	open();
})();
