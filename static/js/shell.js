// The navigation's own behaviour: language, theme, and what the queue is doing.
(() => {
	"use strict";
	const POLL = 4000;

	for (const button of document.querySelectorAll("[data-lang]")) {
		button.addEventListener("click", () => {
			window.tunesmith.remember("lang", button.dataset.lang);
			location.reload();
		});
	}

	const themes = document.querySelectorAll("[data-choice]");
	for (const button of themes) {
		button.addEventListener("click", () => {
			window.tunesmith.setTheme(button.dataset.choice);
			for (const other of themes) other.setAttribute("aria-pressed", String(other === button));
		});
	}

	// On a narrow window the navigation scrolls sideways: show where we are.
	const current = document.querySelector(".ts-nav [aria-current]");
	if (current) {
		const bar = document.querySelector(".ts-nav");
		bar.scrollLeft = current.offsetLeft - bar.clientWidth / 2 + current.offsetWidth / 2;
	}

	const badge = document.getElementById("queue-status");
	const words = badge.querySelector(".ts-status-text");
	function show(text, kind) {
		if (words.textContent !== text) words.textContent = text;
		badge.dataset.kind = kind;
	}
	async function poll() {
		if (document.visibilityState === "visible") {
			try {
				const answer = await fetch("/api/status", { headers: { Accept: "application/json" } });
				const status = await answer.json();
				show(status.text, status.running ? "busy" : status.queued ? "waiting" : "idle");
			} catch {
				show(badge.dataset.lost, "lost");
			}
		}
		setTimeout(poll, POLL);
	}
	poll();
})();
