// Charts of a report: bars, drawn once for each value of the component.
//
// The value is JSON text: {"charts": [{"name", "title", "note", "kind": "histogram", "start", "width", "bars", "beyond",
// "more", "rows", "axis", "lines": [{"x", "label", "kind"}]} | {..., "kind": "bars", "labels", "values", "hover"}
// | {..., "kind": "intervals", "labels", "values", "low", "high", "hover", "range", "format"}
// | {..., "kind": "times", "times", "values", "width"}], "words"}; times are in milliseconds, as is a column's width.
import { card, draw, plotly, token } from "./charts.js";

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
	const colours = edges.map((edge) => token(chart.limit && edge >= chart.limit ? "--ts-warn" : "--ts-accent"));
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
		marker: { color: [...chart.values].reverse().map((value) => token(value < 0 ? "--ts-rejected" : "--ts-chosen")) },
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

const local = (time) => new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);

// A few columns are no wider than they would be among a dozen.
const FEW = 12;
function range(chart) {
	if (chart.kind !== "times") return chart.range;
	const [first, last] = [Math.min(...chart.times), Math.max(...chart.times)];
	return [first, Math.max(last + chart.width, first + FEW * chart.width)].map(local);
}

// Columns over the reader's own time of day.
function times(chart) {
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
		xaxis: { ...axis, range: range(chart), tickformat: chart.format, type: chart.kind === "times" ? "date" : "linear", title: { text: chart.axis, standoff: 6 }, fixedrange: true },
		// Words of the data are no numbers and no dates, whatever they look like.
		yaxis: { ...axis, type: flat ? "category" : "linear", tickformat: flat ? "" : "~s", fixedrange: true },
		shapes: lines.map(({ x, kind }) => ({
			type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper",
			line: { color: token(kind === "limit" ? "--ts-warn" : "--ts-muted"), width: 1.5, dash: kind === "limit" ? "solid" : "dot" },
		})),
		annotations: lines.map(({ x, label, kind }) => ({
			x, y: 1, yref: "paper", yanchor: "bottom", text: label, showarrow: false,
			// Two lines that are close have their names on the outside.
			xanchor: lines.length < 2 ? "center" : lines.every((line) => line.x <= x) ? "left" : "right",
			font: { color: token(kind === "limit" ? "--ts-warn" : "--ts-muted"), size: 12 },
		})),
	};
}

// The table behind a chart, heads first.
const ROWS = {
	bars: ({ labels, values, axis }) => [["", axis || "value"], ...labels.map((label, n) => [label, values[n]])],
	histogram: ({ bars: counts, start, width, beyond, rows }) => [
		["from", "to", rows],
		...counts.map((count, n) => [start + n * width, start + (n + 1) * width, count]),
		...(beyond ? [[start + counts.length * width, null, beyond]] : []),
	],
	intervals: ({ labels, values, low, high }) => [
		["", "value", "low", "high"],
		...labels.map((label, n) => [label, values[n], low[n], high[n]]),
	],
	times: ({ times: begins, values, rows }) => [["from", rows], ...begins.map((time, n) => [new Date(time).toISOString(), values[n]])],
};

// Draws into ``element``; returns what takes each new value of the component.
export function mount(element, address) {
	const parent = element.querySelector(".ts-charts");
	let drawn = [];
	const drawAll = () => {
		if (!drawn.length) return undefined;
		return plotly(address).then((Plotly) => {
			// A tab that is not open has no width to draw into.
			const seen = drawn.filter(([, { plot }]) => plot.clientWidth);
			return Promise.all(seen.map(([chart, { plot }]) => draw(Plotly, plot, [TRACES[chart.kind](chart)], layout(chart))));
		});
	};
	function carded(chart, words) {
		const about = `${chart.title}. ${chart.note}`;
		const made = card({ id: `report-chart-${chart.name}`, title: chart.title, about, words, rows: () => ROWS[chart.kind](chart), redraw: drawAll });
		made.plot.style.minHeight = `${height(chart)}px`; // Nothing jumps when Plotly has come.
		const note = document.createElement("p");
		note.className = "ts-muted";
		note.textContent = chart.note;
		made.box.append(note);
		return [chart, made];
	}
	document.addEventListener("ts:theme", function themed() {
		if (element.isConnected) drawAll();
		else document.removeEventListener("ts:theme", themed);
	});
	new ResizeObserver(drawAll).observe(parent);
	return (value) => {
		for (const [, { plot, box }] of drawn) {
			if (plot.data) window.Plotly.purge(plot);
			box.closest("dialog")?.close();
		}
		const { charts, words } = value ? JSON.parse(value) : { charts: [] };
		drawn = charts.map((chart) => carded(chart, words));
		parent.replaceChildren(...drawn.map(([, { box }]) => box));
		drawAll();
	};
}
