// Live charts that keep their zoom: only new points arrive, and they are appended to what is drawn.
//
// The value is JSON text: {"reset", "anew", "empty", "smoothing", "charts": [{"name", "title", "series": [{"metric",
// "label"}]}], "points": {metric: [[step, ...], [value, ...]]}}. Words and charts come with "reset" only. With "anew"
// the points replace what is drawn: a long line, thinned again. A value that is null is a gap.

let Plotly = null; // Large, and so fetched by itself; the cards are there before it is.

function load(address) {
	return new Promise((resolve, reject) => {
		const script = document.createElement("script");
		script.src = address;
		script.onload = () => resolve(window.Plotly);
		script.onerror = reject;
		document.head.append(script);
	});
}

const COLOURS = ["--ts-accent", "--ts-b", "--ts-a", "--ts-warn"];
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function smoothed(values, weight) {
	let mean = 0, mass = 0;
	return values.map((value) => {
		if (value === null) return null;
		mean = mean * weight + value * (1 - weight);
		mass = mass * weight + (1 - weight);
		return mean / mass;
	});
}

class Chart {
	constructor(parent, { name, title, series }, words) {
		this.series = series.map((one) => ({ ...one, x: [], y: [] }));
		this.weight = 0;
		this.exact = name === "learning_rate"; // It is set, not measured: there is nothing to smooth.
		this.box = document.createElement("section");
		this.box.className = "ts-card ts-chart";
		this.box.id = `run-chart-${name}`;
		const head = document.createElement("h3");
		head.textContent = title;
		this.plot = document.createElement("div");
		this.plot.className = "ts-chart-plot";
		this.plot.setAttribute("role", "img");
		this.plot.setAttribute("aria-label", title);
		this.none = document.createElement("p");
		this.none.className = "ts-muted ts-chart-none";
		this.none.textContent = words.empty;
		this.latest = document.createElement("span");
		this.latest.className = "ts-muted ts-chart-latest";
		head.append(this.latest);
		this.box.append(head, this.none, this.plot);
		parent.append(this.box);
		this.drawn = false;
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
		this.latest.textContent = this.series
			.map((one) => one.y.findLast((value) => value !== null))
			.filter((value) => value !== undefined)
			.map((value) => Number(value.toPrecision(3)))
			.join(" · ");
		this.none.hidden = true;
		if (!Plotly) return;
		if (anew || !this.drawn || this.series.some((one) => one.drawnAs !== Chart.style(one))) this.draw();
		else this.append(fresh);
	}

	// A line that begins, or has grown too long for marks, is drawn anew.
	static style(one) {
		return one.x.length === 0 ? "" : one.x.length < 30 ? "lines+markers" : "lines";
	}

	// Two traces for each series: what was measured, faint while it is smoothed, and the smoothed line.
	traces() {
		return this.series.flatMap((one, index) => {
			one.drawnAs = Chart.style(one);
			const colour = token(COLOURS[index % COLOURS.length]);
			const mode = one.drawnAs || "lines";
			const shared = { type: "scatter", mode, x: [...one.x], hovertemplate: "%{y:.4~g}", name: one.label };
			const raw = { ...shared, y: [...one.y], opacity: this.weight ? 0.25 : 1, showlegend: !this.weight };
			const line = { ...shared, y: smoothed(one.y, this.weight), visible: this.weight > 0 };
			for (const trace of [raw, line]) {
				trace.line = { color: colour, width: 1.8 };
				trace.marker = { color: colour, size: 4 };
			}
			return [raw, line];
		});
	}

	layout() {
		const axis = { gridcolor: token("--ts-border"), zerolinecolor: token("--ts-border"), automargin: true };
		return {
			margin: { l: 8, r: 8, t: 8, b: 8 },
			height: 230,
			uirevision: "kept",
			hovermode: "x unified",
			paper_bgcolor: "rgba(0,0,0,0)",
			plot_bgcolor: "rgba(0,0,0,0)",
			font: { family: token("--ts-font"), size: 12, color: token("--ts-muted") },
			hoverlabel: { bgcolor: token("--ts-raised"), font: { color: token("--ts-text") } },
			xaxis: { ...axis, tickformat: "~s" },
			yaxis: { ...axis, tickformat: this.series.some((one) => one.y.some((y) => y >= 1000)) ? "~s" : ".3~g" },
			showlegend: this.series.filter((one) => one.x.length).length > 1,
			legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
		};
	}

	draw() {
		if (!Plotly || !this.series.some((one) => one.x.length)) return;
		const options = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
		this.drawn = true;
		Plotly.react(this.plot, this.traces(), this.layout(), options);
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

	gone() {
		if (this.drawn) Plotly.purge(this.plot);
		this.box.remove();
	}
}

// Draws into ``element``; returns what takes each new value of the component.
export function mount(element, address) {
	const parent = element.querySelector(".ts-charts");
	const slider = element.querySelector(".ts-smoothing input");
	let charts = [];
	const redraw = () => charts.forEach((chart) => chart.draw());
	slider.addEventListener("input", () => charts.forEach((chart) => chart.smooth(Number(slider.value))));
	document.addEventListener("ts:theme", function themed() {
		if (element.isConnected) redraw();
		else document.removeEventListener("ts:theme", themed);
	});
	load(address).then((loaded) => {
		Plotly = loaded;
		redraw();
	});
	return (value) => {
		if (!value) return;
		const said = JSON.parse(value);
		if (said.reset) {
			for (const chart of charts) chart.gone();
			charts = said.charts.map((chart) => new Chart(parent, chart, said));
			for (const chart of charts) chart.smooth(Number(slider.value));
			slider.previousElementSibling.textContent = said.smoothing;
		}
		for (const chart of charts) chart.add(said.points, said.anew);
	};
}
