// Files on their way to the studio in chunks: they go on after a lost connection, a reload or a restart.
const ADDRESS = "/api/uploads";
const STORE = "ts-uploads";
const CHUNK = 4 << 20;
const WAITS = [500, 1000, 2000, 5000, 10000, 30000];
const LIVE = ["sending", "lost"];

const pause = (time) => new Promise((done) => setTimeout(done, time));
const keep = (entries) => localStorage.setItem(STORE, JSON.stringify(entries.slice(-1000)));
const same = (entry, file) =>
	entry.name === nameOf(file) && entry.size === file.size && entry.mtime === file.lastModified;

export const nameOf = (file) => file.relativePath || file.webkitRelativePath || file.name;

// Uploads that were begun in this browser and not taken in yet: {id, name, size, mtime}.
export function remembered() {
	try { return JSON.parse(localStorage.getItem(STORE)) || []; } catch { return []; }
}

export async function ask(method, path, body, type) {
	const answer = await fetch(ADDRESS + path, { method, body, headers: type ? { "Content-Type": type } : {} });
	const document = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
	return { ok: answer.ok, status: answer.status, ...document };
}

const post = (path, document) => ["POST", path, JSON.stringify(document), "application/json"];

// Leaves uploads on the server, or removes them there as well.
export function forget(ids, { remove }) {
	if (remove) for (const id of ids) ask("DELETE", `/${id}`).catch(() => {});
	keep(remembered().filter((entry) => !ids.includes(entry.id)));
}

export class Batch {
	// ``onChange()`` is called whenever there is something new to show, ``onDone(ids)`` once at the end.
	constructor(files, onChange, onDone) {
		const known = remembered();
		this.files = files.map((file) => ({ file, id: known.find((entry) => same(entry, file))?.id, sent: 0 }));
		this.state = "sending"; // paused | lost | failed | done | given up
		this.message = "";
		this.marks = [];
		this.onChange = onChange;
		this.onDone = onDone;
		this.send();
	}

	get ids() { return this.files.map((one) => one.id).filter(Boolean); }
	get size() { return this.files.reduce((sum, one) => sum + one.file.size, 0); }
	get sent() { return this.files.reduce((sum, one) => sum + one.sent, 0); }

	// Bytes a second over the last seconds; 0 while it is not known.
	speed() {
		const now = performance.now(), { sent } = this;
		this.marks = [...this.marks.filter(([when]) => now - when < 8000), [now, sent]];
		const [[then, before]] = this.marks;
		return now - then > 300 ? Math.max(0, ((sent - before) * 1000) / (now - then)) : 0;
	}

	pause() { this.to("paused"); }
	giveUp() { this.state = "given up"; }
	resume() {
		this.marks = [];
		this.to("sending");
		this.send();
	}

	to(state, message = "") {
		Object.assign(this, { state, message });
		this.onChange();
	}

	async send() {
		if (this.busy) return; // Resumed before the last chunk was answered.
		this.busy = true;
		try {
			for (const one of this.files) {
				if (!one.done && !(await this.sendOne(one))) return;
			}
		} finally { this.busy = false; }
		this.to("done");
		this.onDone(this.ids);
	}

	async sendOne(one) {
		const { file } = one;
		let answer = one.id ? await this.surely("GET", `/${one.id}`) : { status: 404 };
		if (answer?.status === 404) answer = await this.surely(...post("", { name: nameOf(file), size: file.size }));
		while (answer) {
			if (answer.status === 409 && answer.received !== undefined) one.sent = answer.received;
			else if (answer.status === 409) await pause(WAITS[1]); // Another tab is sending the same file.
			else if (!answer.ok) return this.to("failed", answer.message);
			else this.noted(one, answer);
			if (one.done) return true;
			this.onChange();
			answer = await this.next(one);
		}
		return false;
	}

	noted(one, answer) {
		if (one.id !== answer.id || !remembered().some((entry) => entry.id === answer.id)) {
			one.id = answer.id;
			const { size, lastModified: mtime } = one.file;
			keep([...remembered().filter((entry) => !same(entry, one.file)), { id: one.id, name: nameOf(one.file), size, mtime }]);
		}
		one.sent = answer.received;
		one.done = Boolean(answer.sha256);
	}

	async next(one) {
		if (one.sent >= one.file.size) return this.surely(...post(`/${one.id}/finish`, {}));
		let chunk;
		try { // Read here, so that a file that was changed meanwhile is told from a lost connection.
			chunk = await one.file.slice(one.sent, one.sent + CHUNK).arrayBuffer();
		} catch {
			return this.to("failed", "changed");
		}
		return this.surely("PUT", `/${one.id}?offset=${one.sent}`, chunk, "application/octet-stream");
	}

	// Asks until there is an answer; nothing once the batch is paused or given up.
	async surely(...request) {
		for (let tries = 0; LIVE.includes(this.state); tries += 1) {
			try {
				const answer = await ask(...request);
				if (answer.status !== 429 && answer.status < 500) {
					if (this.state === "lost") this.state = "sending";
					return answer;
				}
			} catch { /* No connection: the studio may be starting again. */ }
			if (LIVE.includes(this.state)) this.to("lost");
			await pause(WAITS[Math.min(tries, WAITS.length - 1)]);
		}
		return null;
	}
}
