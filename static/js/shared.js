// The page behind a link to one run: charts that are sketched, and what the run says now, asked for again and again.
import { coloured } from "./live_chart.js";
import { token } from "./charts.js";
import { sketch } from "./sketch.js";

const EVERY = 5000; // Milliseconds; a phone that lies in a pocket asks for nothing.
const SHORT = 30; // Points up to which a line has marks, as in live_chart.js.

const main = document.getElementById("ts-content");
const charts = document.getElementById("shared-charts");
const told = document.getElementById("shared-told");
let drawn = JSON.parse(document.getElementById("shared-points").textContent);

function element(name, className, text) {
	const made = document.createElement(name);
	if (className) made.className = className;
	if (text !== undefined) made.textContent = text;
	return made;
}

function traces(series) {
	return series.filter((one) => one.x.length).map((one) => ({
		x: one.x, y: one.y, name: one.label, showlegend: true, opacity: 1, mode: one.x.length < SHORT ? "lines+markers" : "lines",
		line: { color: token(one.colour), width: 1.8, dash: one.dash },
	}));
}

function card({ name, title, help, series }, points) {
	const lines = coloured(series).map((one) => ({ ...one, x: points[one.metric]?.[0] ?? [], y: points[one.metric]?.[1] ?? [] }));
	const shown = traces(lines);
	if (!shown.length) return null;
	const box = element("section", "ts-card ts-chart");
	box.id = `shared-chart-${name}`;
	const head = box.appendChild(element("header"));
	const heading = head.appendChild(element("h2", "", title));
	const latest = lines.map((one) => one.y.findLast((value) => value !== null)).filter((value) => value !== undefined);
	heading.append(" ", element("span", "ts-muted ts-chart-latest", latest.map((value) => Number(value.toPrecision(4))).join(" · ")));
	box.append(element("p", "ts-muted ts-chart-help", help));
	// A legend of its own, which wraps where the window is narrow.
	if (shown.length > 1) {
		const legend = box.appendChild(element("p", "ts-shared-legend"));
		for (const one of lines.filter((line) => line.x.length)) {
			const name = legend.appendChild(element("span", "", one.label));
			name.style.setProperty("--colour", `var(${one.colour})`);
			if (one.dash === "dash") name.style.setProperty("--line", "dashed");
		}
	}
	const plot = box.appendChild(element("div", "ts-chart-plot"));
	const draw = () => sketch(plot, shown, { height: 220, yaxis: { type: "linear" }, xaxis: {}, showlegend: false });
	return { box, draw };
}

function redraw() {
	const cards = drawn.charts.map((chart) => card(chart, drawn.points)).filter(Boolean);
	charts.replaceChildren(...cards.map((one) => one.box)); // In the page first: a sketch is as wide as its place.
	for (const one of cards) one.draw();
}

// Moments in the reader's own time.
function localise() {
	const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
	for (const time of main.querySelectorAll("time[datetime]")) {
		const at = new Date(time.dateTime.endsWith("Z") ? time.dateTime : `${time.dateTime}Z`);
		if (time.textContent.endsWith("UTC")) time.textContent = format.format(at);
	}
}

async function refresh() {
	if (document.visibilityState === "visible") {
		try {
			const answer = await fetch(location.pathname, { cache: "no-store" });
			if (answer.status === 404) return location.reload(); // Revoked: say so as to anybody.
			if (answer.ok) {
				const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
				for (const id of ["shared-run", "shared-answers"]) {
					document.getElementById(id).replaceChildren(...fresh.getElementById(id).childNodes);
				}
				const points = JSON.parse(fresh.getElementById("shared-points").textContent);
				const changed = JSON.stringify(points.points) !== JSON.stringify(drawn.points);
				drawn = points;
				if (changed) redraw();
				localise();
				told.textContent = "";
				if (fresh.getElementById("ts-content").hasAttribute("data-over")) return location.reload();
			}
		} catch {
			told.textContent = main.dataset.lost;
		}
	}
	setTimeout(refresh, EVERY);
}

localise();
redraw();
let width = charts.clientWidth;
new ResizeObserver(() => {
	if (charts.clientWidth !== width) { width = charts.clientWidth; redraw(); }
}).observe(charts);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
if (!main.hasAttribute("data-over")) setTimeout(refresh, EVERY);
