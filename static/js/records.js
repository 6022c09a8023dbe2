// Records: a click on a row or its number opens it; j and k go through the page, Escape closes; copying; the address.
export function mount(element, trigger) {
	element.addEventListener("click", (event) => onClick(event, trigger));
	// What Gradio gives is inside the panel that has the name.
	const id = element.closest("#data-records, #data-position, #record-head, #record-json")?.id;
	if (id === "data-records") document.addEventListener("keydown", (event) => onKey(event, trigger));
	if (id === "data-position" || id === "record-head") {
		new MutationObserver(() => sync(id)).observe(element, { childList: true, subtree: true, attributes: true });
		sync(id);
	}
}

function onClick(event, trigger) {
	const target = event.target;
	if (target.closest("[data-copy]")) return copy(target.closest("[data-copy]"));
	if (target.closest("[data-close]")) return close(trigger);
	const step = target.closest("[data-go]");
	if (step) return go(Number(step.dataset.go), trigger);
	if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
	const link = target.closest("a[data-row]") || rowLink(target);
	if (!link) return;
	event.preventDefault();
	trigger("act", { open: Number(link.dataset.row) });
}

function rowLink(target) {
	if (target.closest("a, button") || String(window.getSelection())) return null;
	return target.closest("tbody tr")?.querySelector("a[data-row]");
}

async function copy(button) {
	const words = button.textContent;
	await navigator.clipboard.writeText(document.getElementById("record-json-text").textContent);
	button.textContent = button.dataset.done;
	setTimeout(() => { button.textContent = words; }, 1500);
}

const links = () => [...document.querySelectorAll("#data-records a[data-row]")];
const opened = () => document.querySelector("#record-head [data-opened]")?.dataset.opened;

function close(trigger) {
	const row = opened();
	trigger("act", { close: true });
	links().find((link) => link.dataset.row === row)?.focus();
}

// From the opened record, or the one that has the focus, to its neighbour on the page.
function go(by, trigger) {
	const all = links();
	const row = opened() || document.activeElement?.dataset?.row;
	const at = all.findIndex((link) => link.dataset.row === row);
	const next = all[at < 0 ? 0 : at + by];
	if (!next) return;
	next.focus();
	if (opened()) trigger("act", { open: Number(next.dataset.row) });
}

function onKey(event, trigger) {
	const target = event.target;
	if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
	if (target.isContentEditable || target.closest?.("input, textarea, select, [role=listbox], [role=tab]")) return;
	if (!document.getElementById("data-records")?.offsetParent) return;
	const inTable = Boolean(target.closest?.("#data-records"));
	const by = { j: 1, k: -1, ...(inTable && { ArrowDown: 1, ArrowUp: -1 }) }[event.key];
	if (by) {
		event.preventDefault();
		go(by, trigger);
	} else if (event.key === "Escape" && opened()) {
		close(trigger);
	}
}

let seen;

// The address says what is seen, so that it can be kept and passed on.
function sync(id) {
	const base = document.querySelector("#data-position [data-address]")?.dataset.address;
	if (!base) return;
	const address = new URL(base, location.href);
	const here = new URL(location.href);
	const row = opened();
	if (row) address.searchParams.set("row", row);
	const tab = here.searchParams.get("tab");
	if (tab) address.searchParams.set("tab", tab);
	if (address.href !== here.href) history.replaceState(history.state, "", address);
	if (id !== "record-head" || row === seen) return;
	if (!seen) document.getElementById("record-card")?.scrollIntoView({ block: "nearest" });
	seen = row;
}
