// Boxes, stars and buttons of things that are kept: which are selected, and what is asked to be done with them.
// Lists are drawn anew every few seconds; what was selected stays so.
export function mount(element, trigger, around) {
	const selected = new Set();
	const inside = (target) => target?.closest?.(`#${around}`) || element.contains(target);
	const boxes = () => [...document.querySelectorAll(`#${around} input[data-select]`)];

	function show() {
		const there = boxes();
		const ids = new Set(there.map((box) => Number(box.dataset.select)));
		for (const id of selected) if (!ids.has(id)) selected.delete(id);
		for (const box of there) box.checked = selected.has(Number(box.dataset.select));
		const bar = element.querySelector(".ts-keep-bar");
		if (!bar) return;
		if (bar.hidden !== !selected.size) bar.hidden = !selected.size;
		const words = bar.querySelector("[data-selected]");
		const text = words.dataset.selected.replace("{n}", selected.size);
		if (words.textContent !== text) words.textContent = text;
		const all = bar.querySelector("[data-select-all]");
		all.checked = selected.size === there.length;
		all.indeterminate = !all.checked;
		const compare = bar.querySelector("[data-keep=compare]");
		if (compare) compare.disabled = selected.size < 2;
	}

	document.addEventListener("change", (event) => {
		if (!inside(event.target)) return;
		if (event.target.matches("input[data-select]")) {
			const id = Number(event.target.dataset.select);
			event.target.checked ? selected.add(id) : selected.delete(id);
			show();
		} else if (event.target.matches("[data-select-all]")) {
			const on = event.target.checked;
			for (const box of boxes()) on ? selected.add(Number(box.dataset.select)) : selected.delete(Number(box.dataset.select));
			show();
		}
	});

	document.addEventListener("click", (event) => {
		const button = event.target.closest?.("button[data-keep]");
		if (!button || !inside(button)) return;
		const ids = button.dataset.ids ? button.dataset.ids.split(",").map(Number) : [...selected];
		const action = button.dataset.keep;
		if (action === "compare") return window.location.assign(`/runs?compare=${ids.sort((a, b) => a - b).join(",")}`);
		if (action === "dismiss") return button.closest(".ts-notice").remove();
		let value = button.dataset.value ?? element.querySelector("[data-keep-value]")?.value ?? null;
		const form = button.closest(".ts-keep-form");
		if (form) value = Object.fromEntries([...form.querySelectorAll("[name]")].map((field) => [field.name, field.value]));
		trigger("act", { action, ids, value });
	});

	// An address says only what was chosen, and the columns as one list.
	document.addEventListener("submit", (event) => {
		const form = event.target.closest?.("form[data-find]");
		if (!form || form.dataset.find !== around) return;
		event.preventDefault();
		const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
		const columns = [...form.querySelectorAll("[data-column]")];
		const chosen = columns.filter((box) => box.checked).map((box) => box.dataset.column);
		if (columns.some((box) => box.checked !== box.defaultChecked) || form.dataset.columns) query.set("columns", chosen.join(","));
		window.location.assign(`${form.getAttribute("action")}?${query}`);
	});

	const watch = new MutationObserver(show);
	watch.observe(element, { childList: true, subtree: true });
	(function seek() {
		const list = document.getElementById(around);
		if (list) watch.observe(list, { childList: true, subtree: true });
		else setTimeout(seek, 50);
	})();
	show();
}
