// The queue's buttons: each click is one action, and the focus goes with the run that was moved.
export function mount(element, trigger) {
	let pressed = null;

	element.addEventListener("click", (event) => {
		const button = event.target.closest("button[data-action]");
		if (!button) return;
		pressed = { action: button.dataset.action, job: button.dataset.job };
		trigger("act", { action: button.dataset.action, job: Number(button.dataset.job) || null });
	});
	for (const type of ["keydown", "pointerdown"]) {
		document.addEventListener(type, () => { pressed = null; }, true);
	}
	// A new drawing leaves the focus at the place where the run was; at an end its neighbour gets it.
	function onDrawn() {
		if (!pressed) return;
		const own = [...element.querySelectorAll("button[data-action]:not([disabled])")].filter(
			(button) => button.dataset.job === pressed.job,
		);
		const next = own.find((button) => button.dataset.action === pressed.action) || own[0];
		if (next && next !== document.activeElement) next.focus();
	}
	new MutationObserver(onDrawn).observe(element, { childList: true, subtree: true, attributes: true });
}
