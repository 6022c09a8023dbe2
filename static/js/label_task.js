// What is judged, on the screen: prompt and answers, ways to look at them, and what was entered about them.

const VIEWS = ["rendered", "difference", "raw"];

export class Task {
	constructor(root, words) {
		this.root = root;
		this.words = words;
		this.view = "rendered";
		this.item = null;
		this.ranking = [];
		this.cleared = {};
	}
	find(name) {
		return this.root.querySelector(`[data-part="${name}"]`);
	}
	get sides() {
		return [...this.root.querySelectorAll(".ts-label-answer")];
	}
	get shownSides() {
		return this.sides.filter((side) => !side.hidden);
	}
	show(item) {
		this.item = item;
		this.cleared = {};
		this.find("prompt").replaceChildren(...item.prompt.map((message) => this.turn(message)));
		this.find("number").textContent = this.words.number.replace("{number}", item.number);
		const state = this.find("state");
		state.textContent = this.words[`state_${item.state}`];
		state.className = `ts-badge ts-label-state-${item.state}`;
		this.sides.forEach((side, n) => this.drawAnswer(side, item.answers[n], n));
		this.fill(item.draft || {});
		if (this.view === "difference" && !item.differences) this.view = "rendered";
		this.draw();
		for (const side of this.sides) side.querySelector(".ts-label-text").scrollTop = 0;
	}
	turn(message) {
		const line = document.createElement("div");
		line.className = `ts-label-turn ts-label-${message.role}`;
		const role = document.createElement("span");
		role.textContent = this.words[`role_${message.role}`] || message.role;
		const text = document.createElement("p");
		text.dir = "auto";
		text.textContent = message.content;
		line.append(role, text);
		return line;
	}
	drawAnswer(side, answer, n) {
		side.hidden = !answer;
		if (!answer) return;
		side.querySelector(".ts-label-source").textContent = answer.source;
		const box = side.querySelector("textarea");
		box.value = answer.text;
		box.dataset.original = answer.text;
		side.dataset.place = n;
	}
	// The server has cleaned the HTML; all else is set as text.
	draw() {
		this.root.dataset.view = this.view;
		this.sides.forEach((side, n) => {
			const answer = this.item && this.item.answers[n];
			if (!answer) return;
			const text = side.querySelector(".ts-label-text");
			if (this.view === "rendered") this.render(text, answer.html);
			else if (this.view === "difference") text.replaceChildren(...this.item.differences[n].map(([only, piece]) => {
				const part = document.createElement(only ? "mark" : "span");
				part.textContent = piece;
				return part;
			}));
			else text.textContent = answer.text;
		});
		for (const button of this.root.querySelectorAll("[data-view]")) {
			button.setAttribute("aria-pressed", String(button.dataset.view === this.view));
		}
	}
	render(text, html) {
		text.innerHTML = html;
		for (const code of text.querySelectorAll("pre")) {
			const [box, button] = [document.createElement("div"), document.createElement("button")];
			box.className = "ts-code";
			Object.assign(button, { type: "button", className: "ts-quiet", textContent: this.words.copy_code });
			Object.assign(button.dataset, { copies: "code", done: this.words.copied });
			code.tabIndex = 0;
			code.replaceWith(box);
			box.append(button, code);
		}
	}
	look(name) {
		if (!VIEWS.includes(name)) return;
		this.view = this.view === name ? "rendered" : name;
		this.draw();
	}
	press(selector, on) {
		for (const button of this.root.querySelectorAll(selector)) button.setAttribute("aria-pressed", String(on(button.dataset)));
	}
	fill(draft) {
		const { reasons = [], edits = {}, ranking = [] } = draft;
		this.press("[data-reason]", ({ reason }) => reasons.includes(reason));
		this.press("[data-strength]", ({ strength }) => draft.strength === strength);
		this.press("[data-rating]", ({ rating }) => Number(rating) === draft.rating);
		this.press("[data-verdict]", ({ verdict }) => draft.verdict === verdict);
		this.find("comment").value = draft.comment || "";
		for (const side of this.sides) side.querySelector("textarea").value = side.querySelector("textarea").dataset.original || "";
		for (const [place, text] of Object.entries(edits)) {
			const side = this.sides[place];
			if (side) side.querySelector("textarea").value = text;
		}
		this.edit(this.root.dataset.correct === "1" || Object.keys(edits).length > 0);
		this.ranking = ranking.filter((place, n) => place < this.shownSides.length && ranking.indexOf(place) === n);
		this.drawRanking();
	}
	// Takes away all that was entered; asked again, it brings that back: no single key may lose it.
	clear() {
		const now = { ...this.entered(), ranking: this.ranking };
		const blank = !now.comment && !now.strength && ![now.reasons, now.ranking, Object.keys(now.edits)].some((one) => one.length);
		this.fill(blank ? this.cleared : {});
		if (!blank) this.cleared = now;
	}
	// A version that was written stays open: what is not seen is not submitted.
	edit(on) {
		for (const side of this.sides) side.querySelector("textarea").hidden = !on && !this.edited(side);
	}
	get allOpen() {
		return this.shownSides.every((side) => !side.querySelector("textarea").hidden);
	}
	edited(side) {
		const box = side.querySelector("textarea");
		return box.value !== box.dataset.original && Boolean(box.value.trim());
	}
	get edits() {
		const edits = {};
		this.shownSides.forEach((side, n) => {
			if (this.edited(side)) edits[n] = side.querySelector("textarea").value;
		});
		return edits;
	}
	pressed(name) {
		return [...this.root.querySelectorAll(`[data-${name}][aria-pressed="true"]`)].map((one) => one.dataset[name]);
	}
	entered() {
		return { reasons: this.pressed("reason"), strength: this.pressed("strength")[0] || "", comment: this.find("comment").value, edits: this.edits };
	}

	// Ranking: each answer that is named gets the next place; named again, it loses it.
	place(n) {
		if (!this.item || n >= this.shownSides.length) return false;
		this.ranking = this.ranking.includes(n) ? this.ranking.filter((one) => one !== n) : [...this.ranking, n];
		this.drawRanking();
		return true;
	}
	// The last answer without a place has the last one.
	get ranked() {
		const left = this.shownSides.map((_, n) => n).filter((n) => !this.ranking.includes(n));
		return left.length < 2 ? [...this.ranking, ...left] : null;
	}
	drawRanking() {
		const submit = this.find("rank-submit");
		if (!submit) return;
		const ranked = this.ranked;
		submit.disabled = !ranked;
		this.shownSides.forEach((side, n) => {
			const place = (ranked || this.ranking).indexOf(n);
			const button = side.querySelector("[data-rank]");
			button.setAttribute("aria-pressed", String(place >= 0));
			button.querySelector("span").textContent = place < 0 ? this.words.rank_none : this.words.rank_place.replace("{place}", place + 1);
			side.dataset.ranked = place < 0 ? "" : String(place + 1);
		});
	}
}
