// Charts of a report: bars, drawn once for each value of the component.
//
// The value is JSON text: {"charts": [{"name", "title", "note", "kind": "histogram", "start", "width", "bars", "beyond",
// "more", "rows", "axis", "lines": [{"x", "label", "kind"}]} | {..., "kind": "bars", "labels", "values", "hover"}
// | {..., "kind": "intervals", "labels", "values", "low", "high", "hover", "range", "format"}
// | {..., "kind": "times", "times", "values", "width"}]}; times are in milliseconds, as is a column's width.

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

let loading = null; // Plotly is large, and fetched when the first chart is there.

function plotly(address) {
	loading ??= window.Plotly
		? Promise.resolve(window.Plotly)
		: new Promise((resolve, reject) => {
			const script = document.createElement("script");
			script.src = address;
			script.onload = () => resolve(window.Plotly);
			script.onerror = reject;
			document.head.append(script);
		});
	return loading;
}

// The last bar stands for all that is longer; it is as wide as the others and says so.
function histogram(chart) {
	const edges = chart.bars.map((_, place) => chart.start + place * chart.width);
	const digits = chart.width < 1 ? 2 : 0;
	const names = edges.map((edge) => `${edge.toFixed(digits)} – ${(edge + chart.width).toFixed(digits)}`);
	const counts = [...chart.bars];
	if (chart.beyond) {
		edges.push(chart.start + chart.bars.length * chart.width);
		names.push(chart.more);
		counts.push(chart.beyond);
	}
	const colours = edges.map((edge) => token(chart.limit && edge >= chart.limit ? "--ts-b" : "--ts-accent"));
	return {
		type: "bar",
		x: edges.map((edge) => edge + chart.width / 2),
		y: counts,
		width: chart.width * 0.94,
		customdata: names,
		hovertemplate: `%{customdata}<br>%{y:,} ${chart.rows}<extra></extra>`,
		marker: { color: colours },
	};
}

function bars(chart) {
	return {
		type: "bar",
		orientation: "h",
		x: [...chart.values].reverse(),
		y: [...chart.labels].reverse(),
		customdata: [...chart.hover].reverse(),
		hovertemplate: "%{customdata}<extra></extra>",
		marker: { color: [...chart.values].reverse().map((value) => token(value < 0 ? "--ts-b" : "--ts-accent")) },
	};
}

// A dot for each share, and how far it may be off.
function intervals(chart) {
	const back = (values) => [...values].reverse();
	const off = (ends, sign) => back(chart.values.map((value, n) => (ends[n] === null ? 0 : sign * (ends[n] - value))));
	return {
		type: "scatter",
		mode: "markers",
		x: back(chart.values),
		y: back(chart.labels),
		error_x: { type: "data", symmetric: false, array: off(chart.high, 1), arrayminus: off(chart.low, -1), color: token("--ts-accent"), thickness: 2 },
		customdata: back(chart.hover),
		hovertemplate: "%{customdata}<extra></extra>",
		marker: { color: token("--ts-accent"), size: 9 },
	};
}

// Columns over the reader's own time of day.
function times(chart) {
	const local = (time) => new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
	return {
		type: "bar",
		x: chart.times.map((time) => local(time + chart.width / 2)),
		y: chart.values,
		width: chart.width * 0.9,
		customdata: chart.times.map((time) => new Date(time).toLocaleString()),
		hovertemplate: `%{customdata}<br>%{y:,} ${chart.rows}<extra></extra>`,
		marker: { color: token("--ts-accent") },
	};
}

const TRACES = { bars, histogram, intervals, times };
const isFlat = (chart) => chart.kind === "bars" || chart.kind === "intervals";
const height = (chart) => (isFlat(chart) ? 60 + 24 * chart.labels.length : 240);

function layout(chart) {
	const axis = { gridcolor: token("--ts-border"), zerolinecolor: token("--ts-border-strong"), automargin: true };
	const flat = isFlat(chart);
	const lines = chart.lines ?? [];
	return {
		margin: { l: 8, r: 12, t: lines.length ? 26 : 8, b: 8 },
		height: height(chart),
		minreducedheight: 20, // Or a chart of one bar leaves its axis no room, and its words lie on its numbers.
		bargap: flat ? 0.3 : 0,
		showlegend: false,
		paper_bgcolor: "rgba(0,0,0,0)",
		plot_bgcolor: "rgba(0,0,0,0)",
		font: { family: token("--ts-font"), size: 12, color: token("--ts-muted") },
		hoverlabel: { bgcolor: token("--ts-raised"), font: { color: token("--ts-text") } },
		xaxis: { ...axis, range: chart.range, tickformat: chart.format, type: chart.kind === "times" ? "date" : "linear", title: { text: chart.axis, standoff: 6 }, fixedrange: true },
		// Words of the data are no numbers and no dates, whatever they look like.
		yaxis: { ...axis, type: flat ? "category" : "linear", tickformat: flat ? "" : "~s", fixedrange: true },
		shapes: lines.map(({ x, kind }) => ({
			type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper",
			line: { color: token(kind === "limit" ? "--ts-b" : "--ts-muted"), width: 1.5, dash: kind === "limit" ? "solid" : "dot" },
		})),
		annotations: lines.map(({ x, label, kind }) => ({
			x, y: 1, yref: "paper", yanchor: "bottom", text: label, showarrow: false,
			// Two lines that are close have their names on the outside.
			xanchor: lines.length < 2 ? "center" : lines.every((line) => line.x <= x) ? "left" : "right",
			font: { color: token(kind === "limit" ? "--ts-b" : "--ts-muted"), size: 12 },
		})),
	};
}

function card(chart) {
	const box = document.createElement("section");
	box.className = "ts-card ts-chart";
	box.id = `report-chart-${chart.name}`;
	const head = document.createElement("h3");
	head.textContent = chart.title;
	const plot = document.createElement("div");
	plot.className = "ts-chart-plot";
	plot.setAttribute("role", "img");
	plot.setAttribute("aria-label", `${chart.title}. ${chart.note}`);
	plot.style.minHeight = `${height(chart)}px`; // Nothing jumps when Plotly has come.
	const note = document.createElement("p");
	note.className = "ts-muted";
	note.textContent = chart.note;
	box.append(head, plot, note);
	return [box, plot];
}

// Draws into ``element``; returns what takes each new value of the component.
export function mount(element, address) {
	const parent = element.querySelector(".ts-charts");
	let drawn = [];
	const draw = () => {
		if (drawn.length) {
			plotly(address).then((Plotly) => {
				for (const [chart, plot] of drawn) {
					// A tab that is not open has no width to draw into.
					if (!plot.clientWidth) continue;
					const trace = TRACES[chart.kind](chart);
					Plotly.react(plot, [trace], layout(chart), { responsive: true, displayModeBar: false });
				}
			});
		}
	};
	document.addEventListener("ts:theme", function themed() {
		if (element.isConnected) draw();
		else document.removeEventListener("ts:theme", themed);
	});
	new ResizeObserver(draw).observe(parent);
	return (value) => {
		for (const [, plot] of drawn) window.Plotly?.purge(plot);
		const cards = (value ? JSON.parse(value).charts : []).map((chart) => [chart, ...card(chart)]);
		parent.replaceChildren(...cards.map(([, box]) => box));
		drawn = cards.map(([chart, , plot]) => [chart, plot]);
		draw();
	};
}
