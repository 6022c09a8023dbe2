// The labelling screen: everything by keys, every change kept, the next pair with the answer to a vote.
export function mount(element) {
	const root = element.querySelector("#label-screen-body");
	if (!root || root.dataset.mounted) return;
	root.dataset.mounted = "1";
	const words = JSON.parse(root.dataset.words);
	const { project, mode } = root.dataset;
	const find = (name) => root.querySelector(`[data-part="${name}"]`);
	const sides = () => [...root.querySelectorAll(".ts-label-answer")];
	let item = null;
	let busy = false;
	let view = "rendered";
	let saving = 0;

	async function ask(action, body) {
		const options = body === undefined ? {} : {
			method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), keepalive: true,
		};
		const reply = await fetch(`/api/label/${project}/${action}`, options);
		const said = await reply.json();
		if (!reply.ok) throw new Error(said.error || reply.status);
		return said;
	}
	function say(sentence, bad) {
		const line = find("said");
		line.textContent = sentence;
		line.dataset.bad = bad ? "1" : "";
	}
	// One request at a time: a second press while the first is on its way would judge an unseen pair.
	async function act(work) {
		if (busy) return;
		busy = true;
		root.setAttribute("aria-busy", "true");
		try {
			show(await work());
		} catch (error) {
			say(error.message === "Failed to fetch" ? words.offline : error.message, true);
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
		find("finished").hidden = Boolean(item);
		const last = said.last;
		say(last ? `${words.last} ${words[last.verdict] || last.verdict}. ${last.sources.map((s, n) => `${"AB"[n] || n + 1}: ${s}`).join(" · ")}` : "");
		if (!item) return;
		const prompt = find("prompt");
		prompt.replaceChildren(...item.prompt.map(turn));
		find("number").textContent = words.number.replace("{number}", item.number);
		sides().forEach((side, n) => drawAnswer(side, item.answers[n], n));
		fill(item.draft || {});
		draw();
		sides().forEach((side) => { side.querySelector(".ts-label-text").scrollTop = 0; });
	}
	function turn(message) {
		const line = document.createElement("div");
		line.className = `ts-label-turn ts-label-${message.role}`;
		const role = document.createElement("span");
		role.textContent = words[`role_${message.role}`] || message.role;
		const text = document.createElement("p");
		text.dir = "auto";
		text.textContent = message.content;
		line.append(role, text);
		return line;
	}
	function drawAnswer(side, answer, n) {
		side.hidden = !answer;
		if (!answer) return;
		side.querySelector(".ts-label-source").textContent = answer.source;
		const box = side.querySelector("textarea");
		box.value = answer.text;
		box.dataset.original = answer.text;
		side.dataset.place = n;
	}
	// The server has cleaned the HTML; all else is set as text.
	function draw() {
		root.dataset.view = view;
		sides().forEach((side, n) => {
			const answer = item && item.answers[n];
			if (!answer) return;
			const text = side.querySelector(".ts-label-text");
			if (view === "rendered") text.innerHTML = answer.html;
			else if (view === "difference") text.replaceChildren(...answer.difference.map(([only, piece]) => {
				const part = document.createElement(only ? "mark" : "span");
				part.textContent = piece;
				return part;
			}));
			else text.textContent = answer.text;
		});
		for (const button of root.querySelectorAll("[data-view]")) {
			button.setAttribute("aria-pressed", String(button.dataset.view === view));
		}
	}
	function fill(draft) {
		for (const chip of root.querySelectorAll("[data-reason]")) chip.setAttribute("aria-pressed", String((draft.reasons || []).includes(chip.dataset.reason)));
		for (const chip of root.querySelectorAll("[data-strength]")) chip.setAttribute("aria-pressed", String(draft.strength === chip.dataset.strength));
		find("comment").value = draft.comment || "";
		const edits = draft.edits || {};
		edit(Object.keys(edits).length > 0);
		for (const [place, text] of Object.entries(edits)) {
			const side = sides()[place];
			if (side) side.querySelector("textarea").value = text;
		}
		for (const button of root.querySelectorAll("[data-rating]")) button.setAttribute("aria-pressed", String(Number(button.dataset.rating) === draft.rating));
		for (const button of root.querySelectorAll("[data-verdict]")) button.setAttribute("aria-pressed", String(draft.verdict === button.dataset.verdict));
	}
	function edit(on) {
		root.dataset.editing = on ? "1" : "";
		for (const side of sides()) side.querySelector("textarea").hidden = !on;
	}
	function entered() {
		const edits = {};
		sides().forEach((side, n) => {
			const box = side.querySelector("textarea");
			if (!side.hidden && !box.hidden && box.value !== box.dataset.original && box.value.trim()) edits[n] = box.value;
		});
		const pressed = (name) => [...root.querySelectorAll(`[data-${name}][aria-pressed="true"]`)].map((one) => one.dataset[name]);
		return { reasons: pressed("reason"), strength: pressed("strength")[0] || "", comment: find("comment").value, edits };
	}
	function keep() {
		saving = 0;
		if (!item) return;
		const { id } = item;
		const still = (sentence, bad) => { if (item && item.id === id) say(sentence, bad); };
		ask("draft", { item: id, draft: entered() }).then(() => still(words.kept), (error) => still(error.message, true));
	}
	function changed() {
		clearTimeout(saving);
		saving = setTimeout(keep, 300);
	}
	function vote(verdict, rating) {
		if (!item || (rating && rating > Number(root.dataset.scale))) return;
		clearTimeout(saving);
		saving = 0;
		const given = entered();
		if (verdict === "skip") delete given.strength;
		act(() => ask("vote", { item: item.id, verdict, ...(rating ? { rating } : {}), ...given }));
	}
	function toggle(chip, only) {
		const on = chip.getAttribute("aria-pressed") !== "true";
		if (only) for (const other of root.querySelectorAll(`[data-${only}]`)) other.setAttribute("aria-pressed", "false");
		chip.setAttribute("aria-pressed", String(on));
		changed();
	}
	const look = (name) => { view = view === name ? "rendered" : name; draw(); };
	const scroll = (by) => sides().forEach((side) => { side.querySelector(".ts-label-text").scrollTop += by; });
	const verdicts = { 1: "left", 2: "right", 3: "tie", 4: "both_bad" };
	const digit = (n) => () => (mode === "rate" ? vote("rated", n || 10) : verdicts[n] && vote(verdicts[n]));
	const keys = {
		...Object.fromEntries([..."0123456789"].map((n) => [n, digit(Number(n))])), s: () => vote("skip"),
		u: () => act(() => ask("undo", {})),
		d: () => look("difference"), m: () => look("raw"),
		e: () => { edit(!root.dataset.editing); changed(); if (root.dataset.editing) sides()[0].querySelector("textarea").focus(); },
		c: () => find("comment").focus(),
		r: () => { const chip = root.querySelector("[data-reason]"); if (chip) chip.focus(); },
		ArrowDown: () => scroll(120), ArrowUp: () => scroll(-120),
		"?": () => { const help = find("help"); help.open = !help.open; },
	};
	document.addEventListener("keydown", (event) => {
		if (!(event.target instanceof Element)) return;
		const writing = event.target.closest("input, textarea, select, [contenteditable=true]");
		if (writing && event.key === "Escape" && root.contains(writing)) return writing.blur();
		if (writing || event.isComposing || event.keyCode === 229 || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
		if (event.target.closest("button, a, summary") && (event.key === "Enter" || event.key === " ")) return;
		const work = keys[event.key] || keys[event.key.toLowerCase()];
		// Nor is anything judged that is not on the screen, such as behind another tab.
		if (!work || !root.isConnected || !root.offsetParent || event.key.startsWith("Arrow") && !item) return;
		event.preventDefault();
		work();
	});
	root.addEventListener("click", (event) => {
		const button = event.target.closest("button");
		if (!button) return;
		if (button.dataset.rating) vote("rated", Number(button.dataset.rating));
		else if (button.dataset.verdict) vote(button.dataset.verdict);
		else if (button.dataset.reason) toggle(button);
		else if (button.dataset.strength) toggle(button, "strength");
		else if (button.dataset.view) look(button.dataset.view);
		else if (button.dataset.key) keys[button.dataset.key]();
	});
	root.addEventListener("input", changed);
	window.addEventListener("pagehide", () => { if (saving) keep(); });
	// Both answers scroll together, so that the same place is compared.
	root.addEventListener("scroll", (event) => {
		if (!event.target.classList || !event.target.classList.contains("ts-label-text")) return;
		for (const side of sides()) {
			const text = side.querySelector(".ts-label-text");
			if (text !== event.target && text.scrollTop !== event.target.scrollTop) text.scrollTop = event.target.scrollTop;
		}
	}, true);
	act(() => ask("next"));
}
