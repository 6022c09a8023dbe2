// Live charts that keep their zoom: only new points arrive, and they are appended to what is drawn.
//
// The value is JSON text: {"reset", "empty", "smoothing", "charts": [{"name", "title", "series": [{"metric", "label"}]}],
// "points": {metric: [[step, ...], [value, ...]]}}. What is not points comes with "reset" only.

let plotly = null;
const load = (address) =>
	(plotly ??= new Promise((resolve, reject) => {
		const script = document.createElement("script");
		script.src = address;
		script.onload = () => resolve(window.Plotly);
		script.onerror = reject;
		document.head.append(script);
	}));

const COLOURS = ["--ts-accent", "--ts-b", "--ts-a", "--ts-warn"];
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function smoothed(values, weight) {
	let mean = 0, mass = 0;
	return values.map((value) => {
		mean = mean * weight + value * (1 - weight);
		mass = mass * weight + (1 - weight);
		return mean / mass;
	});
}

class Chart {
	constructor(Plotly, parent, { name, title, series }, words) {
		this.Plotly = Plotly;
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

	add(points) {
		const fresh = this.series.map((one) => {
			const [steps, values] = points[one.metric] ?? [[], []];
			const last = one.x.length ? one.x[one.x.length - 1] : -Infinity;
			const from = steps.findIndex((step) => step > last);
			const added = from < 0 ? [[], []] : [steps.slice(from), values.slice(from)];
			one.x.push(...added[0]);
			one.y.push(...added[1]);
			return added;
		});
		if (!fresh.some(([steps]) => steps.length)) return;
		if (!this.drawn || this.series.some((one) => one.x.length && !one.traced)) this.draw();
		else this.append(fresh);
		this.latest.textContent = this.series
			.filter((one) => one.y.length)
			.map((one) => Number(one.y[one.y.length - 1].toPrecision(3)))
			.join(" · ");
	}

	// Two traces for each series: what was measured, faint while it is smoothed, and the smoothed line.
	traces() {
		return this.series.flatMap((one, index) => {
			one.traced = one.x.length > 0;
			const colour = token(COLOURS[index % COLOURS.length]);
			const few = one.x.length < 30 ? "lines+markers" : "lines";
			const shared = { type: "scatter", mode: few, x: [...one.x], hovertemplate: "%{y:.4~g}", name: one.label };
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
		this.none.hidden = true;
		const options = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
		this.drawn = true;
		this.Plotly.react(this.plot, this.traces(), this.layout(), options);
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
		this.Plotly.extendTraces(this.plot, update, at);
	}

	smooth(weight) {
		this.weight = this.exact ? 0 : weight;
		if (this.drawn) this.draw();
	}

	gone() {
		if (this.drawn) this.Plotly.purge(this.plot);
		this.box.remove();
	}
}

export async function mount(element, props, watch, address) {
	const parent = element.querySelector(".ts-charts");
	const slider = element.querySelector(".ts-smoothing input");
	const Plotly = await load(address);
	let charts = [];
	function show() {
		if (!props.value) return;
		const said = JSON.parse(props.value);
		if (said.reset) {
			for (const chart of charts) chart.gone();
			charts = said.charts.map((chart) => new Chart(Plotly, parent, chart, said));
			for (const chart of charts) chart.smooth(Number(slider.value));
			slider.previousElementSibling.textContent = said.smoothing;
		}
		for (const chart of charts) chart.add(said.points);
	}
	slider.addEventListener("input", () => {
		for (const chart of charts) chart.smooth(Number(slider.value));
	});
	const themed = () => {
		if (!element.isConnected) return document.removeEventListener("ts:theme", themed);
		for (const chart of charts) if (chart.drawn) chart.draw();
	};
	document.addEventListener("ts:theme", themed);
	watch("value", show);
	show();
}
