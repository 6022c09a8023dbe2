// The form of options of the Train page (app/parts/option_inputs.py), and what the page sends of it with each event.
export function mount(element, trigger) {
	const root = () => element.querySelector("[data-form]");
	const chosen = (id) => document.querySelector(`#${id} .ts-chooser`)?.dataset.value ?? "";
	let unfolded = false;
	let late = null; // What was typed since another choice was sent: the form that comes then is drawn without it.

	function inputs() {
		const held = {};
		for (const list of root().querySelectorAll("[data-choices]")) held[list.dataset.choices] = [];
		for (const input of root().querySelectorAll("[name]")) {
			const list = input.closest("[data-choices]");
			if (list) { if (input.checked) held[input.name].push(input.value); }
			else held[input.name] = input.type === "checkbox" ? input.checked : input.value;
		}
		return held;
	}

	// For an event: its inputs, of which the first becomes what is chosen and typed, and the address that says so. A
	// choice that turns the form is in the address once the form has followed: the server may ask the address what this
	// page offers (app/opening.py), and the new method's datasets would not hold the one that still stands here.
	window.tunesmith.wish = (turning, [, ...rest]) => {
		const [model, dataset, preset] = rest;
		const method = chosen("train-method"), tuning = chosen("train-tuning");
		if (rest.length && !turning) window.tunesmith.chosen({ method, tuning, model, dataset, preset });
		if (turning) late = {};
		return [JSON.stringify({ method, tuning, form: JSON.parse(root().dataset.form), inputs: inputs() }), ...rest];
	};

	// Below a list: what the chosen one is for.
	function explain(select) {
		for (const line of select.closest(".ts-input").querySelectorAll("[data-choice]")) line.hidden = line.dataset.choice !== select.value;
	}

	for (const type of ["input", "change"]) {
		element.addEventListener(type, (event) => {
			if (!event.target.name) return;
			if (event.target.matches("select")) explain(event.target);
			if (late) late[event.target.name] = event.target;
			// A text is told of with each key, and again when it is left.
			if (type === "input" || !/^(text|textarea)$/.test(event.target.type)) trigger("input");
		});
	}
	// "toggle" does not bubble.
	element.addEventListener("toggle", (event) => { if (event.target.id === "train-opt-advanced") unfolded = event.target.open; }, true);

	let shown = root()?.dataset.form;
	new MutationObserver(() => {
		if (!root() || root().dataset.form === shown) return;
		shown = root().dataset.form;
		const fold = root().querySelector("#train-opt-advanced");
		if (fold) fold.open = unfolded;
		let kept = false;
		for (const [name, old] of Object.entries(late ?? {})) {
			const input = root().querySelector(`[name="${name}"]:not([data-choices] *)`);
			if (!input || input.type !== old.type) continue;
			if (old.type === "checkbox") input.checked = old.checked;
			else input.value = old.value;
			if (input.matches("select")) explain(input);
			kept = true;
		}
		late = null;
		if (kept) trigger("input");
	}).observe(element, { childList: true, subtree: true });
}
