// Live charts that keep their zoom: only new points arrive, and they are appended to what is drawn.
//
// The value is JSON text: {"reset", "anew", "empty", "controls", "smoothed", "words", "axis": {"name", "title", "format"}, "charts":
// [{"name", "heading", "title", "help", "series": [{"metric", "label", "colour", "dash", "strong"}]}], "points": {metric:
// [[x, ...], [value, ...]]}}. All but points and axis comes with "reset" only. With "anew" the points replace what is drawn: a
// long line, thinned again. A value that is null is a gap. Of several runs each series has its colour, and what names the
// runs stands beside the charts ("legend": false); the lines of one run have colours and a legend of their own.
import { card, draw, plotly, token } from "./charts.js";
import { sketch } from "./sketch.js";

const SHORT = 30; // Points up to which a line has marks.
const COLOURS = ["--ts-accent", "--ts-a", "--ts-warn", "--ts-info"];
const FEW = 8; // Lines whose values fit a box beside the pointer.
const OUTLIERS = 0.02; // Share of the values at each end that an axis may leave out, on request.
const BESIDE = ["--ts-a", "--ts-warn", "--ts-info"]; // Beside chosen and rejected, whose colours are theirs everywhere.

let Plotly = null; // Large, and so fetched when somebody comes to the charts; until then they are sketched.

function smoothed(values, weight) {
	let mean = 0, mass = 0;
	return values.map((value) => {
		if (value === null) return null;
		mean = mean * weight + value * (1 - weight);
		mass = mass * weight + (1 - weight);
		return Number((mean / mass).toPrecision(10)); // Sums of binary fractions make 4999.999 of a line of 5000.
	});
}

const sideOf = (metric) => (/rejected$/.test(metric) ? "rejected" : /chosen$/.test(metric) ? "chosen" : "");

export function coloured(series) {
	const others = series.some((one) => sideOf(one.metric)) ? BESIDE : COLOURS;
	let next = 0;
	return series.map((one) => {
		const side = sideOf(one.metric);
		const colour = one.colour ?? (side ? `--ts-${side}` : others[next++ % others.length]);
		return { ...one, side, colour, dash: one.dash ?? (side === "rejected" ? "dash" : "solid"), x: [], y: [] };
	});
}

// All but the outermost values, with a twentieth of room.
function inner(values) {
	const sorted = values.filter(Number.isFinite).sort((one, other) => one - other);
	if (!sorted.length) return undefined;
	const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
	const [low, high] = [at(OUTLIERS), at(1 - OUTLIERS)];
	const room = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
	return [low - room, high + room];
}

class Chart {
	constructor(parent, { name, heading, title, help, series }, said, hovered, fetch) {
		this.series = coloured(series);
		this.words = said;
		this.weight = 0;
		this.log = this.logX = this.clip = false;
		this.axis = { name: "step", title: "", format: "~s" };
		this.legend = said.legend ?? true;
		this.exact = name === "learning_rate"; // It is set, not measured: there is nothing to smooth.
		const made = card({
			id: `run-chart-${name}`, title, help, about: title, words: said.words,
			rows: () => this.rows(), redraw: async () => { await fetch(); return this.draw(); }, log: (on) => { this.log = on; this.draw(); },
		});
		Object.assign(this, made);
		this.toLog = this.tools.querySelector("[data-tool=log]");
		this.none = document.createElement("p");
		this.none.className = "ts-muted ts-chart-none";
		this.none.textContent = said.empty;
		this.plot.before(this.none);
		this.heading = heading ? parent.appendChild(document.createElement("h2")) : null;
		if (this.heading) this.heading.textContent = heading;
		parent.append(this.box);
		this.drawn = false;
		this.hovered = hovered;
		// What is below the window is sketched once, and drawn when it is scrolled to.
		this.met = false;
		this.watcher = new IntersectionObserver((entries) => {
			if (!entries.some((entry) => entry.isIntersecting)) return;
			this.watcher.disconnect();
			this.met = true;
			this.draw();
		});
	}

	add(points, anew) {
		if (anew) for (const one of this.series) one.x = one.y = [];
		const fresh = this.series.map((one) => {
			const [steps, values] = points[one.metric] ?? [[], []];
			const last = one.x.length ? one.x[one.x.length - 1] : -Infinity;
			const from = steps.findIndex((step) => step > last);
			const added = from < 0 ? [[], []] : [steps.slice(from), values.slice(from)];
			one.x = one.x.concat(added[0]);
			one.y = one.y.concat(added[1]);
			return added;
		});
		if (!fresh.some(([steps]) => steps.length)) return;
		this.latest.textContent = !this.legend ? "" : this.series
			.map((one) => one.y.findLast((value) => value !== null))
			.filter((value) => value !== undefined)
			.map((value) => Number(value.toPrecision(4)))
			.join(" · ");
		if (!this.none.hidden) this.watcher.observe(this.box); // From now on it is as high as what will be drawn.
		this.none.hidden = true;
		// A logarithm shows what is above 0 only.
		const positive = this.series.every((one) => one.y.every((value) => value === null || value > 0));
		this.toLog.hidden = !positive;
		if (!positive) this.log = false;
		if (anew || !this.drawn || this.series.some((one) => one.drawnAs !== Chart.style(one))) this.draw();
		else this.append(fresh);
	}

	// A line that begins, or has grown too long for marks, is drawn anew.
	static style(one) {
		return one.x.length === 0 ? "" : one.x.length < SHORT ? "lines+markers" : "lines";
	}

	// Two traces for each series: what was measured, faint while it is smoothed, and the smoothed line over it.
	traces() {
		return this.series.flatMap((one) => {
			one.drawnAs = Chart.style(one);
			const colour = token(one.colour);
			const mode = one.drawnAs || "lines";
			const shared = { type: "scatter", mode, x: [...one.x], hovertemplate: "%{y:.5~g}" };
			const raw = { ...shared, y: [...one.y], name: one.label, opacity: this.weight ? 0.3 : 1, showlegend: !this.weight };
			const name = `${one.label} · ${this.words.smoothed}`;
			const line = { ...shared, y: smoothed(one.y, this.weight), name, visible: this.weight > 0 };
			for (const trace of [raw, line]) {
				const width = (trace === raw && this.weight ? 1.2 : 1.8) + (one.strong ? 1.4 : 0);
				trace.line = { color: colour, width, dash: one.dash };
				trace.marker = { color: colour, size: 4 };
			}
			return [raw, line];
		});
	}

	layout() {
		const axis = { gridcolor: token("--ts-border"), zerolinecolor: token("--ts-border"), automargin: true };
		const large = this.series.some((one) => one.y.some((y) => Math.abs(y) >= 1000));
		const lines = this.series.filter((one) => one.x.length).length;
		const range = this.clip ? this.clipped() : undefined;
		const kinds = { x: this.logX ? "log" : "linear", y: this.log ? "log" : "linear" };
		return {
			margin: { l: 8, r: 8, t: 8, b: 8 },
			height: 230,
			uirevision: "kept",
			hovermode: lines > FEW && !this.box.closest("dialog") ? "closest" : "x unified",
			xaxis: { ...axis, type: kinds.x, tickformat: this.axis.format, title: { text: this.axis.title, standoff: 6 }, uirevision: kinds.x },
			// Plotly's own numbers have as many digits as the distance of the lines asks for, also after a zoom.
			yaxis: { ...axis, type: kinds.y, range, autorange: !range, exponentformat: large ? "SI" : "e", separatethousands: true, uirevision: `${kinds.y} ${range}` },
			showlegend: this.legend && lines > 1,
			legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
		};
	}

	clipped() {
		const values = this.series.flatMap((one) => (this.weight ? smoothed(one.y, this.weight) : one.y));
		return inner(values.map((value) => (value === null ? NaN : this.log ? Math.log10(value) : value)));
	}

	draw() {
		if (!this.series.some((one) => one.x.length)) return undefined;
		if (!this.met && this.plot.firstChild) return undefined;
		if (!this.met || !Plotly) return sketch(this.plot, this.traces(), this.layout());
		if (!this.drawn) this.plot.replaceChildren();
		const ready = draw(Plotly, this.plot, this.traces(), this.layout());
		if (this.drawn) return ready;
		this.drawn = true;
		this.plot.on("plotly_hover", (event) => this.hovered(this, event.xvals?.[0] ?? event.points[0].x));
		this.plot.on("plotly_unhover", () => this.hovered(this, null));
		// Plotly says nothing of a pointer that leaves a chart which was drawn anew below it.
		this.plot.addEventListener("mouseleave", () => this.hovered(this, null));
		return ready;
	}

	// The same step as in the chart that the pointer is in.
	point(step) {
		if (!this.drawn || !this.isSeen()) return;
		if (step === null) Plotly.Fx.unhover(this.plot);
		else Plotly.Fx.hover(this.plot, { xval: step }, "xy", true);
	}

	isSeen() {
		const { top, bottom } = this.plot.getBoundingClientRect();
		return bottom > 0 && top < innerHeight;
	}

	append(fresh) {
		const update = { x: [], y: [] }, at = [];
		this.series.forEach((one, index) => {
			const [steps, values] = fresh[index];
			if (!steps.length) return;
			const line = this.weight ? smoothed(one.y, this.weight).slice(-steps.length) : values;
			update.x.push(steps, steps);
			update.y.push(values, line);
			at.push(2 * index, 2 * index + 1);
		});
		Plotly.extendTraces(this.plot, update, at);
	}

	smooth(weight) {
		this.weight = this.exact ? 0 : weight;
		this.draw();
	}

	rows() {
		const steps = new Map();
		this.series.forEach((one, place) => one.x.forEach((step, n) => {
			if (!steps.has(step)) steps.set(step, this.series.map(() => null));
			steps.get(step)[place] = one.y[n];
		}));
		const sorted = [...steps].sort(([one], [other]) => one - other);
		return [[this.axis.name, ...this.series.map((one) => (this.legend ? one.metric : one.label))], ...sorted.map(([step, values]) => [step, ...values])];
	}

	gone() {
		this.watcher.disconnect();
		if (this.drawn) Plotly.purge(this.plot);
		this.box.closest("dialog")?.close();
		this.box.remove();
		this.heading?.remove();
	}
}

// Draws into ``element``; returns what takes each new value of the component.
export function mount(element, address) {
	const parent = element.querySelector(".ts-charts");
	const slider = element.querySelector(".ts-smoothing input[type=range]");
	const shown = element.querySelector(".ts-smoothing output");
	const boxes = [...element.querySelectorAll(".ts-smoothing input[type=checkbox]")];
	let charts = [];
	const redraw = () => charts.forEach((chart) => chart.draw());
	const hovered = (from, step) => charts.forEach((chart) => { if (chart !== from) chart.point(step); });
	const tell = () => { shown.textContent = Number(slider.value).toFixed(2); };
	tell();
	slider.addEventListener("input", () => {
		tell();
		charts.forEach((chart) => chart.smooth(Number(slider.value)));
	});
	document.addEventListener("ts:theme", function themed() {
		if (element.isConnected) redraw();
		else document.removeEventListener("ts:theme", themed);
	});
	// Whoever comes to one chart gets all that are seen: the pointer is at the same step in all of them.
	let coming = null;
	const fetch = async () => {
		if (Plotly) return;
		coming ??= plotly(address).then((loaded) => {
			Plotly = loaded;
			redraw();
		}).finally(() => { coming = null; });
		await coming;
	};
	for (const event of ["pointerover", "focusin"]) parent.addEventListener(event, fetch);
	// A sketch has neither of these axes.
	for (const box of boxes) {
		box.addEventListener("change", async () => {
			for (const chart of charts) chart[box.dataset.sets] = box.checked;
			await fetch();
			redraw();
		});
	}
	// A sketch is as wide as it was drawn; Plotly looks after that itself.
	new ResizeObserver(() => { if (!Plotly) redraw(); }).observe(parent);
	return (value) => {
		if (!value) return;
		const said = JSON.parse(value);
		if (said.reset) {
			for (const chart of charts) chart.gone();
			charts = said.charts.map((chart) => new Chart(parent, chart, said, hovered, fetch));
			for (const chart of charts) {
				for (const box of boxes) chart[box.dataset.sets] = box.checked;
				chart.smooth(Number(slider.value));
			}
			for (const name of element.querySelectorAll(".ts-smoothing [data-word]")) name.textContent = said.controls[name.dataset.word];
		}
		for (const chart of charts) {
			chart.axis = said.axis ?? chart.axis;
			chart.add(said.points, said.anew);
		}
	};
}
