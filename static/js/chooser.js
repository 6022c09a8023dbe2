// A button that opens a list of titles with their help (app/parts/chooser.py). The focus stays on the button, as the
// pattern "select-only combobox" of the ARIA practices has it: arrows move through the list, Enter takes, Escape closes,
// letters lead to the next title with a word that begins so.
const PATIENCE = 700; // Milliseconds between letters that are still one word.

export function mount(element, trigger) {
	const part = (selector) => element.querySelector(selector);
	const list = () => part("[role=listbox]");
	const button = () => part("[role=combobox]");
	const options = () => [...element.querySelectorAll("[role=option]")];
	const isOpen = () => !!list() && !list().hidden;
	const active = () => part("[data-active]");
	let word = "", last = 0;

	function activate(option) {
		active()?.removeAttribute("data-active");
		if (!option) return button().removeAttribute("aria-activedescendant");
		option.setAttribute("data-active", "");
		button().setAttribute("aria-activedescendant", option.id);
		option.scrollIntoView({ block: "nearest" });
	}
	function open(at = part("[aria-selected=true]")) {
		list().hidden = false;
		button().setAttribute("aria-expanded", "true");
		if (list().getBoundingClientRect().bottom > innerHeight) list().scrollIntoView({ block: "nearest" });
		activate(at);
	}
	function close() {
		if (!isOpen()) return;
		activate(null);
		list().hidden = true;
		button().setAttribute("aria-expanded", "false");
	}
	function take(option) {
		if (!option || option.getAttribute("aria-disabled") === "true") return;
		close();
		const root = part(".ts-chooser");
		if (root.dataset.value === option.dataset.value) return;
		root.dataset.value = option.dataset.value;
		for (const one of options()) one.setAttribute("aria-selected", String(one === option));
		for (const line of [".ts-chooser-title", ".ts-chooser-help"]) {
			button().querySelector(line).textContent = option.querySelector(line).textContent;
		}
		trigger("input");
	}
	function move(steps) {
		const all = options();
		activate(all[Math.min(all.length - 1, Math.max(0, all.indexOf(active()) + steps))]);
	}
	function find(letter) {
		word = Date.now() - last > PATIENCE ? letter : word + letter;
		last = Date.now();
		const all = options();
		const from = all.indexOf(active()) + (word.length === 1 ? 1 : 0);
		const turned = [...all.slice(from), ...all.slice(0, from)];
		const begins = (text) => text.toLowerCase().split(/[\s()-]+/).some((one) => one.startsWith(word.toLowerCase()));
		const next = turned.find((option) => begins(option.querySelector(".ts-chooser-title").textContent));
		if (next) activate(next);
	}

	const STEPS = { ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1, PageDown: 5, PageUp: -5, Home: -999, End: 999 };
	element.addEventListener("keydown", (event) => {
		if (!event.target.matches("[role=combobox]") || event.ctrlKey || event.metaKey || event.isComposing) return;
		const opens = !isOpen() && ["ArrowDown", "ArrowUp", "Enter", " "].includes(event.key);
		const letter = event.key.length === 1 && event.key !== " ";
		if (opens || (letter && !isOpen())) open();
		if (letter) find(event.key);
		else if (opens) { /* The chosen one is where one begins. */ }
		else if (!isOpen()) return;
		else if (event.key in STEPS) move(STEPS[event.key]);
		else if (event.key === "Enter" || event.key === " ") take(active());
		else if (event.key === "Escape") close();
		else return;
		event.preventDefault();
	});
	element.addEventListener("click", (event) => {
		const option = event.target.closest("[role=option]");
		if (option) take(option);
		else if (event.target.closest("[role=combobox]")) isOpen() ? close() : open();
	});
	// A press in the list would take the focus from the button, and so close the list before it is a click.
	element.addEventListener("pointerdown", (event) => { if (event.target.closest("[role=listbox]")) event.preventDefault(); });
	element.addEventListener("mousedown", (event) => { if (event.target.closest("[role=listbox]")) event.preventDefault(); });
	element.addEventListener("pointermove", (event) => {
		const option = event.target.closest("[role=option]");
		if (option && option !== active()) activate(option);
	});
	element.addEventListener("focusout", close);
}
