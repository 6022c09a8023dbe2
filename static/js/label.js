// The labelling screen: everything by keys, every change kept, the next pair with the answer to a vote.
import { Guide } from "./label_guide.js";
import { asker, listen, unreachable } from "./label_keys.js";
import { Task } from "./label_task.js";

const COMING = 1_000; // Milliseconds between two looks for an item while answers are still written.
const AGAIN = 2_000; // Milliseconds until a draft that could not be kept is sent again.

export function mount(element) {
	const root = element.querySelector("#label-screen-body");
	if (!root || root.dataset.mounted) return;
	root.dataset.mounted = "1";
	const words = JSON.parse(root.dataset.words);
	const { project, mode } = root.dataset;
	const correct = root.dataset.correct === "1";
	const ask = asker(project);
	const task = new Task(root, words);
	const guide = new Guide(root, words, (since) => ask(`guidelines?since=${since}`));
	const find = (name) => root.querySelector(`[data-part="${name}"]`);
	let item = null;
	let busy = false;
	let saving = 0;

	function say(sentence, bad) {
		const line = find("said");
		line.textContent = sentence;
		line.dataset.bad = bad ? "1" : "";
	}
	// One request at a time: a second press while the first is on its way would judge an unseen pair.
	async function act(work, then) {
		if (busy) return;
		busy = true;
		root.setAttribute("aria-busy", "true");
		clearTimeout(saving);
		if (saving) await keep();
		try {
			show(await work());
			if (then) say(then);
		} catch (error) {
			// The item is with others, or its vote had arrived although its answer was lost.
			if (error.gone) await ask("next").then(show, () => {});
			say(unreachable(error) ? words.offline : error.message, true);
			if (unreachable(error) && item && !saving) saving = setTimeout(keep, AGAIN);
		} finally {
			busy = false;
			root.removeAttribute("aria-busy");
		}
	}
	function show(said) {
		item = said.item;
		const { items, done, mine } = said.progress;
		find("progress").textContent = words.progress.replace("{mine}", mine).replace("{done}", done).replace("{items}", items);
		find("bar").style.width = `${items ? (100 * done) / items : 0}%`;
		find("task").hidden = !item;
		find("finished").hidden = Boolean(item || said.coming);
		find("coming").hidden = Boolean(item || !said.coming);
		if (!item && said.coming) setTimeout(() => root.isConnected && !item && act(() => ask("next")), COMING);
		guide.seen(said.guidelines);
		const last = said.last;
		const wrote = last ? last.sources.map((s, n) => `${"ABCDEFGH"[n]}: ${s}`).join(" · ") : "";
		say(last ? `${words.last} ${words[last.verdict] || last.verdict}. ${wrote}` : "");
		for (const name of ["leave", "withdraw"]) find(name).hidden = !item || !["submitted", "skipped"].includes(item.state);
		if (!item) return;
		task.show(item);
		if (correct) write();
	}
	function write() {
		task.edit(true);
		task.shownSides[0].querySelector("textarea").focus();
	}
	const draft = () => ({ ...task.entered(), ...(mode === "rank" ? { ranking: task.ranking } : {}) });
	function keep() {
		saving = 0;
		if (!item) return;
		const { id } = item;
		const still = (act) => { if (item && item.id === id) act(); };
		return ask("draft", { item: id, draft: draft() }).then(() => still(() => say(words.kept)), (error) => still(() => {
			say(unreachable(error) ? words.offline : error.message, true);
			if (unreachable(error) && !saving) saving = setTimeout(keep, AGAIN);
		}));
	}
	function changed() {
		clearTimeout(saving);
		saving = setTimeout(keep, 300);
	}
	function vote(verdict, more = {}) {
		if (!item || busy) return;
		const given = { ...task.entered(), ...more };
		// A skip says nothing of them: what was begun is kept as the draft that undoing brings back.
		if (verdict === "skip") delete given.strength;
		else {
			clearTimeout(saving);
			saving = 0;
		}
		act(() => ask("vote", { item: item.id, verdict, ...given }));
	}
	// Where answers are corrected, one that was left as it is counts as good.
	const save = () => vote("rated", { rating: Object.keys(task.edits).length ? 1 : 2 });
	const rate = (rating) => rating <= Number(root.dataset.scale) && vote("rated", { rating });
	const submitRanking = () => task.ranked && vote("ranked", { ranking: task.ranked });
	function rank(n) {
		if (task.place(n)) changed();
	}
	function toggle(chip, only) {
		if (!chip) return;
		const on = chip.getAttribute("aria-pressed") !== "true";
		if (only) for (const other of root.querySelectorAll(`[data-${only}]`)) other.setAttribute("aria-pressed", "false");
		chip.setAttribute("aria-pressed", String(on));
		changed();
	}
	const strength = (name) => toggle(root.querySelector(`[data-strength="${name}"]`), "strength");
	const reason = (n) => toggle(root.querySelectorAll("[data-reason]")[n]);
	async function differences() {
		const { id } = item;
		if (item.answers.length === 2 && !item.differences) {
			const said = await ask(`difference/${id}`).catch((error) => say(error.message, true));
			if (!said || !item || item.id !== id) return;
			item.differences = said.differences;
		}
		if (item.differences) task.look("difference");
	}
	function scroll(by) {
		for (const side of task.shownSides) side.querySelector(".ts-label-text").scrollTop += by;
		return Boolean(item);
	}
	const verdicts = { 1: "left", 2: "right", 3: "tie", 4: "both_bad" };
	const digits = {
		pairs: (n) => verdicts[n] && vote(verdicts[n]),
		rate: (n) => !correct && rate(n || 10),
		rank: (n) => n && rank(n - 1),
	};
	const keys = {
		...Object.fromEntries([..."0123456789"].map((n) => [n, () => digits[mode](Number(n))])),
		s: () => vote("skip"),
		u: () => act(() => ask("undo", {})),
		l: () => !find("leave").hidden && act(() => ask("release", { item: item.id })),
		d: () => item && differences(), m: () => task.look("raw"),
		e: () => { if (correct || !task.allOpen) write(); else task.edit(false); },
		c: () => find("comment").focus(),
		r: () => root.querySelector("[data-reason]")?.focus(),
		q: () => strength("slightly"), w: () => strength("clearly"),
		g: () => guide.toggle(),
		x: () => { if (item) { task.clear(); changed(); } },
		Enter: () => mode === "rank" && submitRanking(),
		Backspace: () => { if (mode === "rank" && task.ranking.length) rank(task.ranking.at(-1)); },
		ArrowDown: () => scroll(120), ArrowUp: () => scroll(-120),
		"?": () => { const help = find("help"); help.open = !help.open; },
	};
	listen(root, keys, {
		first: (event) => correct && event.key === "Enter" && (event.ctrlKey || event.metaKey) && (save(), true),
		shifted: reason,
	});
	root.addEventListener("click", (event) => {
		const button = event.target.closest("button");
		if (!button) return;
		const { rating, verdict, rank: named, key, view } = button.dataset;
		if (rating) rate(Number(rating));
		else if (verdict) vote(verdict);
		else if (named) rank(Number(named));
		else if (button.dataset.reason) toggle(button);
		else if (button.dataset.strength) toggle(button, "strength");
		else if (view) keys[view === "difference" ? "d" : "m"]();
		else if (button.dataset.part === "save") save();
		else if (button.dataset.part === "withdraw") act(() => ask("withdraw", { item: item.id }), words.withdrawn);
		else if (key) keys[key]();
	});
	root.addEventListener("input", changed);
	window.addEventListener("pagehide", () => { if (saving) keep(); });
	// All answers scroll together, so that the same place is compared.
	root.addEventListener("scroll", (event) => {
		if (!event.target.classList || !event.target.classList.contains("ts-label-text")) return;
		for (const side of task.shownSides) {
			const text = side.querySelector(".ts-label-text");
			if (text !== event.target && text.scrollTop !== event.target.scrollTop) text.scrollTop = event.target.scrollTop;
		}
	}, true);
	const here = new URL(window.location);
	const again = Number(here.searchParams.get("item"));
	if (again) {
		here.searchParams.delete("item");
		window.history.replaceState(null, "", here);
		act(() => ask("reopen", { item: again }));
	} else act(() => ask("next"));
}
