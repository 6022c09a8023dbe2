// The queue's buttons: each click is one action, and the keyboard stays on the button that was pressed.
export function mount(element, trigger) {
	let pressed = null;

	element.addEventListener("click", (event) => {
		const button = event.target.closest("button[data-action]");
		if (!button) return;
		pressed = { action: button.dataset.action, job: button.dataset.job };
		trigger("act", { action: button.dataset.action, job: Number(button.dataset.job) || null });
	});
	// A new drawing takes the focus away; it goes back to the same button, or to its neighbour at an end.
	function onDrawn() {
		if (!pressed || (document.activeElement && document.activeElement !== document.body)) return;
		const { action, job } = pressed;
		const all = [...element.querySelectorAll("button[data-action]:not([disabled])")];
		const same = all.find((button) => button.dataset.action === action && button.dataset.job === job);
		const near = same || all.find((button) => button.dataset.job === job) || all[0];
		if (near) near.focus();
	}
	new MutationObserver(onDrawn).observe(element, { childList: true, subtree: true });
}
