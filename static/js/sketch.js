// A chart as it is seen before anybody uses it: lines, axes, a legend. Plotly, which draws what can be hovered, zoomed
// and saved, takes half a second of the page for its script alone and a tenth for each chart, so that it comes with the
// first pointer or key that reaches the charts (live_chart.js), and draws the same lines at about the same places.
import { token } from "./charts.js";

const SVG = "http://www.w3.org/2000/svg";
const LETTER = 6.6; // Pixels of a digit at 12 px.
const [TOP, RIGHT, BOTTOM, LEGEND, TITLE] = [8, 14, 24, 22, 18];

function element(name, attributes, text) {
	const made = document.createElementNS(SVG, name);
	for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
	if (text !== undefined) made.textContent = text;
	return made;
}

// 1,500 as 1.5k; with as many digits as tell the lines of the axis apart.
export function short(value, step = 0) {
	const size = Math.abs(value);
	const [unit, name] = size >= 1e9 ? [1e9, "B"] : size >= 1e6 ? [1e6, "M"] : size >= 1e3 ? [1e3, "k"] : [1, ""];
	if (step && size < 1e-4 && size > 0) return value.toExponential(Math.max(0, Math.floor(Math.log10(size / step) + 0.5)));
	const digits = step ? Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9)) : 0;
	return `${Number(step ? (value / unit).toFixed(Math.min(digits, 12)) : (value / unit).toPrecision(4))}${name}`;
}

// Some six round values between the ends: 1, 2 or 5 times a power of ten apart.
export function ticks(low, high, wanted = 6) {
	const raw = (high - low) / wanted;
	const power = 10 ** Math.floor(Math.log10(raw));
	const step = power * ([1, 2, 5].find((one) => one * power >= raw) ?? 10);
	const first = Math.ceil(low / step - 1e-9);
	const count = Math.floor(high / step + 1e-9) - first + 1;
	return { step, values: Array.from({ length: count }, (_, n) => (first + n) * step) };
}

function decades(low, high) {
	const values = [];
	for (let power = Math.ceil(low - 1e-9); power <= high + 1e-9; power += 1) values.push(power);
	return values.length > 1 ? values : ticks(low, high, 3).values;
}

// The ends of the values, with a twentieth of room; a line that is level gets some of its own height.
function range(values) {
	let [low, high] = [Infinity, -Infinity];
	for (const value of values) {
		if (value < low) low = value;
		if (value > high) high = value;
	}
	if (low > high) return [0, 1]; // Steps, but no value as yet.
	const room = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
	return [low - room, high + room];
}

function path(trace, across, up) {
	let drawn = "", pen = "M";
	trace.x.forEach((x, n) => {
		const y = trace.y[n];
		if (y === null || !Number.isFinite(up(y))) { pen = "M"; return; } // A gap.
		drawn += `${pen}${across(x).toFixed(1)} ${up(y).toFixed(1)}`;
		pen = "L";
	});
	return drawn;
}

// ``traces`` and ``layout`` as Plotly gets them.
export function sketch(plot, traces, layout) {
	const shown = traces.filter((trace) => trace.visible !== false && trace.x.length);
	const height = layout.height, width = Math.max(plot.clientWidth, 160);
	const log = layout.yaxis.type === "log";
	const scale = (value) => (log ? Math.log10(value) : value);
	const steps = shown.flatMap((trace) => [trace.x[0], trace.x.at(-1)]);
	const [left, right] = [Math.min(...steps), Math.max(Math.max(...steps), Math.min(...steps) + 1)];
	const [low, high] = range(shown.flatMap((trace) => trace.y.filter((y) => y !== null).map(scale).filter(Number.isFinite)));
	const levels = log ? { step: 0, values: decades(low, high) } : ticks(low, high);
	const names = levels.values.map((value) => (log ? short(10 ** value) : short(value, levels.step)));
	const named = layout.showlegend ? shown.filter((trace) => trace.showlegend !== false) : [];
	const title = layout.xaxis?.title?.text ?? "";
	const bottom = BOTTOM + (title ? TITLE : 0);
	const begin = 14 + LETTER * Math.max(1, ...names.map((name) => name.length));
	const legendPlaces = placed(named, begin, width);
	const top = TOP + LEGEND * ((legendPlaces.at(-1)?.row ?? -1) + 1);
	const across = (x) => begin + ((x - left) / (right - left)) * (width - begin - RIGHT);
	const up = (y) => height - bottom - ((scale(y) - low) / (high - low)) * (height - bottom - top);
	const svg = element("svg", { class: "ts-sketch", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
	levels.values.forEach((value, n) => {
		const y = up(log ? 10 ** value : value);
		svg.append(element("line", { x1: begin, x2: width - RIGHT, y1: y, y2: y, stroke: token("--ts-border") }));
		svg.append(element("text", { x: begin - 6, y: y + 4, "text-anchor": "end" }, names[n]));
	});
	const places = ticks(left, right, Math.max(2, Math.floor(width / 110)));
	for (const value of places.values) {
		svg.append(element("line", { x1: across(value), x2: across(value), y1: top, y2: height - bottom, stroke: token("--ts-border") }));
		svg.append(element("text", { x: across(value), y: height - bottom + 18, "text-anchor": "middle" }, short(value)));
	}
	if (title) svg.append(element("text", { x: (begin + width - RIGHT) / 2, y: height - 5, "text-anchor": "middle" }, title));
	for (const trace of shown) {
		const look = { stroke: trace.line.color, "stroke-width": trace.line.width, opacity: trace.opacity ?? 1 };
		if (trace.line.dash === "dash") look["stroke-dasharray"] = "6 5";
		svg.append(element("path", { d: path(trace, across, up), fill: "none", "stroke-linejoin": "round", ...look }));
		if (!trace.mode.includes("markers")) continue;
		trace.x.forEach((x, n) => {
			if (trace.y[n] !== null) svg.append(element("circle", { cx: across(x), cy: up(trace.y[n]), r: 2, fill: trace.line.color, opacity: look.opacity }));
		});
	}
	legend(svg, named, legendPlaces);
	plot.replaceChildren(svg);
}

const WIDE = /[\u2e80-\uffef]/g; // Letters of Chinese are as wide as two others.

// Where each name of the legend stands: in as many rows as it takes.
function placed(traces, begin, width) {
	let [across, row] = [begin, 0];
	return traces.map(({ name }) => {
		const needs = 32 + LETTER * (name.length + (name.match(WIDE)?.length ?? 0));
		if (across > begin && across + needs > width - RIGHT) [across, row] = [begin, row + 1];
		const place = { across, row };
		across += needs + 20;
		return place;
	});
}

function legend(svg, traces, places) {
	traces.forEach((trace, n) => {
		const { across, row } = places[n];
		const y = TOP + LEGEND * row;
		const dash = trace.line.dash === "dash" ? { "stroke-dasharray": "6 5" } : {};
		svg.append(element("line", { x1: across, x2: across + 26, y1: y + 8, y2: y + 8, stroke: trace.line.color, "stroke-width": 2, ...dash }));
		svg.append(element("text", { x: across + 32, y: y + 12 }, trace.name));
	});
}
