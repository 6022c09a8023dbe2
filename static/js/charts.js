// What all charts share: Plotly, fetched with the first of them; its one configuration; a card with a chart's buttons.
//
// Plotly's own bar of buttons covers the lines on touch screens and offers to send what is drawn to a cloud: ours has
// neither. Nothing else may call Plotly to draw.

export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const CONFIG = {
	responsive: true,
	displayModeBar: false,
	displaylogo: false,
	showSendToCloud: false,
	plotlyServerURL: "",
};

let loading = null;

export function plotly(address) {
	loading ??= new Promise((resolve, reject) => {
		const script = document.createElement("script");
		script.src = address;
		script.onload = () => resolve(window.Plotly);
		script.onerror = () => { loading = null; reject(new Error(address)); };
		document.head.append(script);
	});
	return loading;
}

// A finger that moves over a chart scrolls the page; it does not cut out a piece.
export function draw(Plotly, plot, traces, layout) {
	const touch = matchMedia("(pointer: coarse)").matches;
	return Plotly.react(plot, traces, {
		paper_bgcolor: "rgba(0,0,0,0)",
		plot_bgcolor: "rgba(0,0,0,0)",
		font: { family: token("--ts-font"), size: 12, color: token("--ts-muted") },
		hoverlabel: { bgcolor: token("--ts-raised"), font: { color: token("--ts-text") } },
		dragmode: touch ? false : "zoom",
		...layout,
		...(isLarge(plot) ? { height: Math.round(innerHeight * 0.72) } : {}),
	}, CONFIG);
}

const isLarge = (element) => element.closest("dialog") !== null;

function save(name, address) {
	const link = document.createElement("a");
	link.href = address;
	link.download = name;
	link.click();
}

async function savePicture(plot, name, title, format) {
	const { Plotly } = window;
	// What names the lines beside the charts on the page has to be in the picture.
	const showlegend = plot.layout.showlegend || plot.data.filter((one) => one.visible !== false).length > 1;
	const layout = { ...plot.layout, showlegend, paper_bgcolor: token("--ts-surface"), title: { text: title, font: { size: 15 } } };
	layout.margin = { ...layout.margin, t: 48 };
	const size = { format, width: Math.max(700, plot.clientWidth), height: Math.max(400, plot.clientHeight), scale: format === "png" ? 2 : 1 };
	save(`${name}.${format}`, await Plotly.toImage({ data: plot.data, layout, config: CONFIG }, size));
}

// Words of the data that a table program would take for a formula are quoted.
function field(value) {
	if (value === null || value === undefined) return "";
	if (typeof value === "number") return String(value);
	const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
	return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const csv = (rows) => rows.map((row) => row.map(field).join(",") + "\r\n").join("");

function saveTable(rows, name) {
	const address = URL.createObjectURL(new Blob(["\ufeff", csv(rows)], { type: "text/csv;charset=utf-8" }));
	save(`${name}.csv`, address);
	setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// The card itself moves into a dialog and back, so that its zoom is kept and new points go on coming.
function enlarge(card, plot, title, redraw, button) {
	const open = card.closest("dialog");
	if (open) return open.close();
	// Once it is drawn with its new height: Plotly takes the height anew from what stands there.
	const resized = async () => {
		await redraw();
		if (plot.data) window.Plotly.Plots.resize(plot);
	};
	const place = document.createComment("chart");
	const dialog = document.createElement("dialog");
	dialog.className = "ts-chart-dialog";
	dialog.setAttribute("aria-label", title);
	card.replaceWith(place);
	dialog.append(card);
	document.getElementById("ts-content").append(dialog);
	dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
	dialog.addEventListener("close", () => {
		if (place.isConnected) place.replaceWith(card); // Else the charts were drawn anew meanwhile.
		dialog.remove();
		button.setAttribute("aria-pressed", "false");
		resized();
		button.focus();
	});
	dialog.showModal();
	button.setAttribute("aria-pressed", "true");
	button.focus();
	resized();
}

function tool(name, words, act) {
	const button = document.createElement("button");
	button.type = "button";
	button.className = "ts-chart-tool";
	button.dataset.tool = name;
	button.title = words[`${name}_help`];
	button.setAttribute("aria-label", words[`${name}_help`]);
	button.textContent = words[name];
	button.addEventListener("click", act);
	return button;
}

// A card with heading, a line on how to read it, place for the drawing, and buttons. ``rows`` gives the table behind the chart, heads first;
// ``redraw`` is called when its size has changed, and resolves when it is drawn; ``log``, if given, is called with whether the axis is logarithmic.
export function card({ id, title, help, about, words, rows, redraw, log }) {
	const box = document.createElement("section");
	box.className = "ts-card ts-chart";
	box.id = id;
	const head = document.createElement("header");
	const heading = document.createElement("h2");
	heading.textContent = title;
	const latest = document.createElement("span");
	latest.className = "ts-muted ts-chart-latest";
	const tools = document.createElement("div");
	tools.className = "ts-chart-tools";
	const plot = document.createElement("div");
	plot.className = "ts-chart-plot";
	plot.setAttribute("role", "img");
	plot.setAttribute("aria-label", about);
	if (log) {
		const button = tool("log", words, () => {
			const pressed = button.getAttribute("aria-pressed") !== "true";
			button.setAttribute("aria-pressed", String(pressed));
			log(pressed);
		});
		button.setAttribute("aria-pressed", "false");
		button.hidden = true; // Until the values are known to be positive.
		tools.append(button);
	}
	tools.append(
		tool("csv", words, () => saveTable(rows(), id)),
		...["png", "svg"].map((format) => tool(format, words, async () => {
			await redraw(); // It may be a sketch as yet.
			await savePicture(plot, id, title, format);
		})),
	);
	const large = tool("enlarge", words, () => enlarge(box, plot, title, redraw, large));
	large.setAttribute("aria-pressed", "false");
	tools.append(large);
	head.append(heading, latest, tools);
	box.append(head);
	if (help) {
		const line = document.createElement("p");
		line.className = "ts-muted ts-chart-help";
		line.textContent = help;
		box.append(line);
	}
	box.append(plot);
	return { box, plot, latest, tools };
}
