// Disagreements: one item at a time with all votes on it, and the last word by keys.
import { asker, listen, unreachable } from "./label_keys.js";
import { Task } from "./label_task.js";

export function mount(element) {
	const root = element.querySelector("#label-cases-body");
	if (!root || root.dataset.mounted) return;
	root.dataset.mounted = "1";
	const words = JSON.parse(root.dataset.words);
	const { project, mode } = root.dataset;
	const ask = asker(project);
	const task = new Task(root, words);
	const find = (name) => root.querySelector(`[data-part="${name}"]`);
	let lists = { open: [], decided: [] };
	let which = "open";
	let at = 0;
	let item = null;
	let busy = false;
	let done = []; // What was decided here, the newest last.
	const begun = new Map(); // What was entered on items and not said, by their ids: going on loses none of it.
	let untouched = "";

	function say(sentence, bad) {
		find("said").textContent = sentence;
		find("said").dataset.bad = bad ? "1" : "";
	}
	async function act(work) {
		if (busy) return;
		busy = true;
		root.setAttribute("aria-busy", "true");
		try {
			await work();
		} catch (error) {
			say(unreachable(error) ? words.offline : error.message, true);
		} finally {
			busy = false;
			root.removeAttribute("aria-busy");
		}
	}
	const entered = () => ({ ...task.entered(), ranking: task.ranking });
	async function load() {
		lists = await ask("cases");
		at = 0;
		await show();
	}
	async function show() {
		const ids = lists[which];
		const counts = words.case_counts.replace("{open}", lists.open.length).replace("{decided}", lists.decided.length);
		at = Math.max(0, Math.min(at, ids.length - 1));
		find("task").hidden = !ids.length;
		root.querySelector('[data-key="v"]').setAttribute("aria-pressed", String(which === "decided"));
		if (item && JSON.stringify(entered()) !== untouched) begun.set(item.id, entered());
		item = ids.length ? await ask(`cases/${ids[at]}`) : null;
		find("progress").textContent = counts;
		if (!item) return say(which === "open" && lists.decided.length ? words.case_end : words.case_none);
		task.show({ ...item, draft: { ...item.draft, ...begun.get(item.id) } });
		untouched = JSON.stringify(entered());
		drawVotes();
		if (item.decided_by) say(words.case_by.replace("{who}", item.decided_by));
	}
	function verdictOf(vote) {
		if (vote.verdict === "rated") return `${vote.rating}`;
		if (vote.verdict === "ranked") return vote.ranking.map((place) => "ABCDEFGH"[place]).join(" > ");
		return [words[vote.verdict] || vote.verdict, words[`strength_${vote.strength}`]].filter(Boolean).join(", ");
	}
	function whyOf(vote) {
		const reasons = vote.reasons.map((one) => words[`reason_${one}`] || one);
		const edits = Object.entries(vote.edits || {}).map(([place, text]) => words.case_edited.replace("{side}", "ABCDEFGH"[place]).replace("{text}", text));
		return [reasons.join(", "), vote.comment, ...edits].filter(Boolean).join("\n");
	}
	function drawVotes() {
		const table = document.createElement("table");
		table.className = "ts-table";
		const row = (parent, cells, kind) => {
			const line = parent.insertRow();
			for (const text of cells) {
				const cell = document.createElement(kind);
				cell.textContent = text;
				cell.style.whiteSpace = "pre-wrap";
				line.append(cell);
			}
		};
		row(table.createTHead(), [words.case_who, words.case_verdict, words.case_why], "th");
		const body = table.createTBody();
		for (const vote of item.votes) row(body, [vote.who, verdictOf(vote), whyOf(vote)], "td");
		find("votes").replaceChildren(table);
	}
	function decide(verdict, more = {}) {
		if (!item) return;
		const { comment, edits } = task.entered();
		const { id } = item;
		act(async () => {
			await ask("decide", { item: id, verdict, comment, edits, ...more });
			begun.delete(id);
			item = null;
			done.push(id);
			lists.open = lists.open.filter((one) => one !== id);
			if (!lists.decided.includes(id)) lists.decided.push(id);
			else at += 1;
			await show();
			if (item && !item.decided_by) say(words.case_decided);
		});
	}
	const undo = () => act(async () => {
		const id = which === "decided" && item ? item.id : done.at(-1);
		if (!id) return;
		await ask("reconsider", { item: id });
		done = done.filter((one) => one !== id);
		lists.decided = lists.decided.filter((one) => one !== id);
		lists.open.unshift(id);
		which = "open";
		at = 0;
		await show();
		say(words.case_undone);
	});
	const step = (by) => act(async () => { at += by; say(""); await show(); });
	const verdicts = { 1: "left", 2: "right", 3: "tie", 4: "both_bad" };
	const rate = (rating) => rating <= Number(root.dataset.scale) && decide("rated", { rating });
	const digits = { pairs: (n) => verdicts[n] && decide(verdicts[n]), rate: (n) => rate(n || 10), rank: (n) => n && task.place(n - 1) };
	const keys = {
		...Object.fromEntries([..."0123456789"].map((n) => [n, () => digits[mode](Number(n))])),
		Enter: () => mode === "rank" && task.ranked && decide("ranked", { ranking: task.ranked }),
		Backspace: () => mode === "rank" && task.ranking.length && task.place(task.ranking.at(-1)),
		n: () => step(1), p: () => step(-1), u: undo,
		v: () => act(async () => { which = which === "open" ? "decided" : "open"; at = 0; say(""); await show(); }),
		d: () => item && item.differences && task.look("difference"),
		m: () => task.look("raw"),
		e: () => { const open = !task.allOpen; task.edit(open); if (open) root.querySelector("textarea").focus(); },
		c: () => find("comment").focus(),
	};
	listen(root, keys);
	root.addEventListener("click", (event) => {
		const button = event.target.closest("button");
		if (!button) return;
		const { rating, verdict, rank, key } = button.dataset;
		if (rating) rate(Number(rating));
		else if (verdict) decide(verdict);
		else if (rank) task.place(Number(rank));
		else if (key) keys[key]();
	});
	// The list is asked for whenever the tab comes to the front: others vote meanwhile.
	new IntersectionObserver((seen) => {
		if (seen.at(-1).isIntersecting && !item) act(load);
	}).observe(root);
}
