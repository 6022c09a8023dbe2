// The guidelines beside the task: folded away if somebody wants that, and what changed in them while at work.

const FOLDED = "tunesmith.guidelines.folded";

export class Guide {
	constructor(root, words, fetched) {
		this.box = root.querySelector('[data-part="guide"]');
		this.words = words;
		this.fetched = fetched;
		this.version = Number(this.box.dataset.version);
		this.details.open = localStorage.getItem(FOLDED) !== "1";
		this.details.addEventListener("toggle", () => localStorage.setItem(FOLDED, this.details.open ? "" : "1"));
		this.box.addEventListener("click", (event) => {
			if (event.target.closest('[data-part="guide-seen"]')) this.news.hidden = true;
		});
	}
	get details() {
		return this.box.querySelector("details");
	}
	get news() {
		return this.box.querySelector('[data-part="guide-news"]');
	}
	toggle() {
		this.details.open = !this.details.open;
	}
	// With every item comes the version that holds now.
	async seen(version) {
		if (!version || version === this.version) return;
		const since = this.version;
		this.version = version;
		const said = await this.fetched(since).catch(() => null);
		if (!said) {
			this.version = since;
			return;
		}
		this.box.hidden = false;
		this.box.querySelector('[data-part="guide-text"]').innerHTML = said.html;
		this.box.querySelector('[data-part="guide-changes"]').innerHTML = said.changes;
		this.news.hidden = false;
		this.details.open = true;
	}
}
