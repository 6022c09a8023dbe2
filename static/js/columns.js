// Roles of columns, chosen in the headers of the preview: a role belongs to one column only.
const SEVERAL = ["", "keep"];

export function mount(element, trigger) {
	element.addEventListener("change", (event) => {
		const chosen = event.target.closest("select[data-column]");
		if (!chosen) return;
		const all = [...element.querySelectorAll("select[data-column]")];
		if (!SEVERAL.includes(chosen.value)) {
			for (const other of all) if (other !== chosen && other.value === chosen.value) other.value = "";
		}
		for (const one of all) one.closest("th").classList.toggle("ts-column-used", one.value !== "");
		// Only what was chosen: other headers may be drawn from before an earlier choice was stored.
		trigger("assign", { roles: { [chosen.dataset.column]: chosen.value } });
	});
}
