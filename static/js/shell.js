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

	// Answers and blocks of code are copied as they were written. Without a secure context (another machine, plain
	// HTTP) browsers have no clipboard to write to, but still copy what is selected.
	async function copy(text) {
		if (navigator.clipboard) return navigator.clipboard.writeText(text);
		const box = Object.assign(document.createElement("textarea"), { value: text });
		document.body.append(box);
		box.select();
		document.execCommand("copy");
		box.remove();
	}
	const WRITTEN = {
		code: (button) => button.parentElement.querySelector("pre").textContent,
		answer: (button) => {
			const answer = button.closest("article");
			return answer.querySelector(".ts-raw")?.textContent ?? answer.querySelector("textarea").dataset.original;
		},
	};
	document.addEventListener("click", async (event) => {
		const button = event.target.closest?.("button[data-copies]");
		if (!button || button.dataset.words) return;
		await copy(WRITTEN[button.dataset.copies](button));
		button.dataset.words = button.textContent;
		button.textContent = button.dataset.done;
		setTimeout(() => { button.textContent = button.dataset.words; delete button.dataset.words; }, 1500);
	});

	// On a narrow window the navigation scrolls sideways: show where we are. Asked in a frame, in which the page is
	// laid out anyway; here it would be laid out once more.
	const current = document.querySelector(".ts-nav [aria-current]");
	if (current) {
		requestAnimationFrame(() => {
			const bar = document.querySelector(".ts-nav");
			bar.scrollLeft = current.offsetLeft - bar.clientWidth / 2 + current.offsetWidth / 2;
		});
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

// Turns of a chat are in the document before their script is: what is pressed early, button or key, is pressed again
// once it is there.
{
	const early = [];
	const unready = () => document.querySelector(".ts-chat-main:not([data-ready])");
	document.addEventListener("click", (event) => {
		const button = event.target.closest?.(".ts-chat-main :is([data-action], [data-verdict])");
		if (button && unready()?.contains(button)) early.push(() => button.isConnected && button.click());
	}, true);
	document.addEventListener("keydown", (event) => {
		const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
		if (!typing && !event.repeat && unready()) early.push(() => document.dispatchEvent(new KeyboardEvent("keydown", event)));
	}, true);
	document.addEventListener("ts-chat-ready", () => {
		for (const press of early.splice(0)) press();
	});
}
