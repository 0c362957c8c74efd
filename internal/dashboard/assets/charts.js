// The charts of the overview, of the points that app.js receives.
"use strict";
(() => {
	const keep = 720;
	const names = ["at", "p50", "p99", "delivered", "failed", "queue", "lag"];
	const data = Object.fromEntries(names.map(n => [n, []]));

	const round = v => v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1).replace(/\.0$/, "") : v.toFixed(2).replace(/\.?0+$/, "");
	const scaled = (v, step, units) => {
		let i = 0;
		while (Math.abs(v) >= step && i < units.length - 1) { v /= step; i++; }
		return round(v) + units[i];
	};
	const seconds = v => v === 0 ? "0" : v < 1 ? round(v * 1000) + " ms" : v < 120 ? round(v) + " s" : v < 7200 ? round(v / 60) + " min" : round(v / 3600) + " h";
	const bytes = v => scaled(v, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]);
	const number = v => scaled(v, 1000, ["", "k", "M", "G"]);

	const clock = v => new Date(v * 1000).toTimeString().slice(0, 8);
	const doubling = Array.from({length: 50}, (_, i) => 2 ** i);

	const kinds = {
		latency: {say: seconds, of: [["p50", "p50", "--one"], ["p99", "p99", "--two"]]},
		throughput: {say: number, of: [["done/s", "delivered", "--one"], ["failed/s", "failed", "--two"]]},
		queue: {say: number, of: [["waiting", "queue", "--one"]]},
		lag: {say: bytes, incrs: doubling, of: [["lag", "lag", "--one"]]},
	};
	const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
	const columns = kind => [data.at, ...kind.of.map(s => data[s[1]])];

	function make(el) {
		const kind = kinds[el.dataset.chart];
		const axis = {stroke: colour("--quiet"), grid: {stroke: colour("--grid"), width: 1}, ticks: {show: false}, font: "11px system-ui, sans-serif"};
		const series = kind.of.map(([label, , name]) => ({
			label, stroke: colour(name), width: 1.5, points: {size: 4, fill: colour(name)},
			value: (_, v) => v == null ? "" : kind.say(v),
		}));
		return new uPlot({
			width: el.clientWidth, height: 130, series: [{label: "at", value: (u, v) => v == null ? "" : clock(v)}, ...series],
			scales: {
				x: {range: (_, min, max) => { const end = max ?? Date.now() / 1000; return [Math.min(min ?? end, end - 600), end]; }},
				y: {range: (_, min, max) => [0, max > 0 ? max * 1.1 : 1]},
			},
			axes: [
				{...axis, size: 22, space: 60, values: [[3600, "{HH}:{mm}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, null, null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]]},
				{...axis, size: 58, space: 28, ...(kind.incrs && {incrs: kind.incrs}), values: (_, all) => all.map(v => kind.say(v))},
			],
			cursor: {sync: {key: "time"}, drag: {x: false, y: false}},
			legend: {markers: {width: 2}},
		}, columns(kind), el);
	}

	const boxes = [...document.querySelectorAll(".chart")];
	let charts = [];
	function build() {
		charts.forEach(c => c.destroy());
		charts = boxes.map(make);
	}
	build();
	addEventListener("points", e => {
		const from = data.at.length ? data.at[data.at.length - 1] : 0;
		e.detail.at.forEach((at, i) => {
			if (at > from) names.forEach(n => data[n].push(e.detail[n][i]));
		});
		names.forEach(n => data[n].splice(0, data[n].length - keep));
		charts.forEach((c, i) => c.setData(columns(kinds[boxes[i].dataset.chart])));
	});
	new ResizeObserver(() => charts.forEach((c, i) => c.setSize({width: boxes[i].clientWidth, height: 130}))).observe(document.querySelector(".charts"));
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
})();
