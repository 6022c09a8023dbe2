// The place where files are dropped or chosen, and how far they are.
import { Batch, ask, forget, nameOf, remembered } from "./sending.js";

const MOST = 1000;
const BUTTONS = { pause: ["sending", "lost"], resume: ["paused"], cancel: ["sending", "lost", "paused"], clear: ["done", "failed"] };

function size(bytes) {
	for (const unit of ["B", "kB", "MB", "GB"]) {
		if (bytes < 1000) return `${unit === "B" || bytes >= 100 ? Math.round(bytes) : bytes.toFixed(1)} ${unit}`;
		bytes /= 1000;
	}
	return `${bytes.toFixed(1)} TB`;
}

export function mount(element, trigger, watch) {
	let batch = null;
	const part = (name) => element.querySelector(`[data-part="${name}"]`);
	const texts = () => JSON.parse(part("drop").dataset.texts);
	const said = (key, values = {}) => texts()[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

	function begin(chosen) {
		const files = [...chosen].slice(0, MOST);
		if (!files.length || batch) return;
		batch = new Batch(files, draw, (ids) => trigger("ready", { ids }));
		draw();
	}

	function figures() {
		const all = batch.size, sent = batch.sent, speed = batch.speed();
		const done = said("of", { sent: size(sent), all: size(all) });
		if (batch.state === "done") return said("done", { size: size(all) });
		if (batch.state === "failed") return batch.message === "changed" ? said("changed") : batch.message || said("failed");
		if (batch.state !== "sending") return `${done} · ${said(batch.state)}`;
		if (!speed) return done;
		const left = Math.ceil((all - sent) / speed);
		const time = left < 100 ? said("seconds", { n: left }) : said("minutes", { n: Math.ceil(left / 60) });
		return `${done} · ${size(speed)}/s · ${time}`;
	}

	function draw() {
		const box = part("progress");
		if (!box) return;
		box.hidden = !batch;
		part("drop").hidden = Boolean(batch);
		part("open").hidden = true;
		if (!batch) return void drawOpen();
		const [first] = batch.files, share = batch.state === "done" ? 1 : batch.sent / Math.max(1, batch.size);
		const name = batch.files.length === 1 ? nameOf(first.file) : said("files", { n: batch.files.length });
		const told = figures();
		part("name").textContent = name;
		part("bar").value = share;
		part("bar").setAttribute("aria-label", name);
		part("figures").textContent = told;
		box.dataset.state = batch.state;
		for (const [action, states] of Object.entries(BUTTONS)) {
			element.querySelector(`[data-do="${action}"]`).hidden = !states.includes(batch.state);
		}
		// Read out now and then, not at every chunk.
		const spoken = batch.state === "sending" ? `${Math.floor(4 * share) * 25} %` : told;
		if (part("spoken").textContent !== spoken) part("spoken").textContent = spoken;
	}

	// What an earlier page left unfinished: a browser may read a file only when it is chosen again.
	async function drawOpen() {
		const known = await Promise.all(remembered().slice(-20).map(async (entry) => {
			const answer = await ask("GET", `/${entry.id}`).catch(() => null);
			if (answer?.status === 404) forget([entry.id], { remove: false });
			return answer?.ok ? { ...entry, received: answer.received } : null;
		}));
		// One that is whole was sent to its end, whatever the studio thought of it then.
		const lines = known.filter((entry) => entry && entry.received < entry.size).map((entry) => {
			const line = document.createElement("li");
			line.textContent = said("open", { file: entry.name, sent: size(entry.received), all: size(entry.size) });
			return line;
		});
		part("open-list").replaceChildren(...lines);
		part("open").hidden = Boolean(batch) || !lines.length;
	}

	function clear() {
		batch.giveUp();
		forget(batch.ids, { remove: true });
		batch = null;
		trigger("cleared", {});
		draw();
		element.querySelector('[data-do="files"]').focus();
	}

	const actions = {
		files: () => part("input-files").click(),
		folder: () => part("input-folder").click(),
		pause: () => batch.pause(),
		resume: () => batch.resume(),
		clear,
		cancel: clear,
		discard() {
			forget(remembered().map((entry) => entry.id), { remove: true });
			draw();
		},
	};
	element.addEventListener("click", (event) => {
		const button = event.target.closest("button[data-do]");
		if (button) actions[button.dataset.do]();
	});
	element.addEventListener("change", (event) => {
		if (event.target.type !== "file") return;
		begin(event.target.files);
		event.target.value = "";
	});
	for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
		element.addEventListener(type, async (event) => {
			event.preventDefault();
			part("drop").classList.toggle("ts-drop-over", type === "dragenter" || type === "dragover");
			if (type === "drop") begin(await dropped(event.dataTransfer));
		});
	}
	// Drawn anew: the page was opened, or the studio has taken the files in.
	watch("value", () => {
		if (batch) forget(batch.ids, { remove: false });
		batch = null;
		draw();
	});
	draw();
	// Chosen before this script was there.
	for (const name of ["input-files", "input-folder"]) {
		const input = part(name);
		if (!input?.files.length) continue;
		begin(input.files);
		input.value = "";
	}
}

// Files of a drop, those inside of folders too.
async function dropped(transfer) {
	const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
	const plain = [...transfer.files];
	if (!entries.some((entry) => entry.isDirectory)) return plain;
	const found = [];
	async function walk(entry) {
		if (found.length > MOST) return;
		if (entry.isFile) {
			const file = await new Promise((done, failed) => entry.file(done, failed));
			file.relativePath = entry.fullPath.replace(/^\//, "");
			found.push(file);
			return;
		}
		const reader = entry.createReader();
		for (let some = [null]; some.length;) {
			some = await new Promise((done, failed) => reader.readEntries(done, failed));
			for (const inner of some) await walk(inner);
		}
	}
	for (const entry of entries) await walk(entry);
	return found;
}
