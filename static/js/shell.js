// The navigation's own behaviour: language, theme, and what the queue is doing.
(() => {
	"use strict";
	const POLL = 4000;

	// The switches are in the navigation and on the settings page.
	document.addEventListener("click", (event) => {
		const button = event.target.closest?.("button[data-lang], button[data-choice]");
		if (!button) return;
		if (button.dataset.lang) {
			window.tunesmith.remember("lang", button.dataset.lang);
			location.reload();
			return;
		}
		window.tunesmith.setTheme(button.dataset.choice);
		for (const other of document.querySelectorAll("button[data-choice]")) {
			other.setAttribute("aria-pressed", String(other.dataset.choice === button.dataset.choice));
		}
	});

	// On a narrow window the navigation scrolls sideways: show where we are.
	const current = document.querySelector(".ts-nav [aria-current]");
	if (current) {
		const bar = document.querySelector(".ts-nav");
		bar.scrollLeft = current.offsetLeft - bar.clientWidth / 2 + current.offsetWidth / 2;
	}

	const badge = document.getElementById("queue-status");
	const words = badge?.querySelector(".ts-status-text");
	function show(text, kind) {
		if (!badge) return;
		if (words.textContent !== text) words.textContent = text;
		badge.dataset.kind = kind;
	}
	async function poll() {
		if (document.visibilityState === "visible") {
			try {
				const answer = await fetch(document.body.dataset.poll, { headers: { Accept: "application/json" } });
				if (answer.status === 401) return location.reload(); // The session ended: sign in again.
				const status = await answer.json();
				show(status.text, status.running ? "busy" : status.queued ? "waiting" : "idle");
			} catch {
				show(badge?.dataset.lost, "lost");
			}
		}
		setTimeout(poll, POLL);
	}
	poll();
})();
