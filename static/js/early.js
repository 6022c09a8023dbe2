// Runs before anything is drawn: the chosen language and theme, as Gradio will see them.
(() => {
	"use strict";
	const root = document.documentElement;
	const language = root.lang;
	Object.defineProperty(navigator, "language", { get: () => language });
	Object.defineProperty(navigator, "languages", { get: () => [language] });

	// Gradio follows the system's colour scheme; here that question is answered by the chosen theme.
	const SCHEME = "(prefers-color-scheme: dark)";
	const ask = window.matchMedia.bind(window);
	const system = ask(SCHEME);
	const listeners = new Set();
	const isDark = () => (root.dataset.theme === "auto" ? system.matches : root.dataset.theme === "dark");
	const chosen = {
		media: SCHEME,
		get matches() { return isDark(); },
		addEventListener: (_, listener) => listeners.add(listener),
		removeEventListener: (_, listener) => listeners.delete(listener),
		addListener: (listener) => listeners.add(listener),
		removeListener: (listener) => listeners.delete(listener),
	};
	window.matchMedia = (query) => (query === SCHEME ? chosen : ask(query));

	function apply() {
		root.classList.toggle("dark", isDark());
		for (const listener of listeners) listener({ matches: isDark(), media: SCHEME });
		document.dispatchEvent(new CustomEvent("ts:theme", { detail: { dark: isDark() } }));
	}
	system.addEventListener("change", apply);
	apply();

	// What the server has drawn of the page stands until Gradio has mounted its own, and then goes in one frame.
	const LATEST = 20000; // Milliseconds after which a page is shown as far as it came.
	const PATIENCE = 3000; // Milliseconds for scripts that draw: more than one needs that the browser does not have yet.
	const awaited = [];
	function reveal() {
		const content = document.getElementById("ts-content");
		content.setAttribute("data-appearing", "");
		content.removeAttribute("data-opening");
		document.getElementById("ts-early")?.remove();
		requestAnimationFrame(() => requestAnimationFrame(() => content.removeAttribute("data-appearing")));
	}
	addEventListener("load", () => setTimeout(reveal, LATEST));

	window.tunesmith = {
		isDark,
		// The page is not shown before this is done, unless it takes too long: it would push other things away.
		waits: (promise) => { awaited.push(promise); },
		// A part whose script is still on its way: a button of it that is clicked meanwhile is clicked again after.
		mounts(element, script) {
			const early = [];
			const keep = (event) => early.push(event.target.closest("button"));
			element.addEventListener("click", keep, true);
			return script.then(() => {
				element.removeEventListener("click", keep, true);
				for (const button of early) if (button?.isConnected) button.click();
			});
		},
		async mounted() {
			await new Promise((done) => requestAnimationFrame(done)); // The scripts of its parts have begun.
			await Promise.race([Promise.allSettled(awaited), new Promise((done) => setTimeout(done, PATIENCE))]);
			requestAnimationFrame(() => requestAnimationFrame(reveal));
		},
		// A tab is chosen: the address says so, and its part of the page is asked for unless it is there (app/mounting.py).
		opened(parameter, name, place, known) {
			const address = new URL(location.href);
			address.searchParams.set(parameter, name);
			history.replaceState(history.state, "", address);
			const there = document.getElementById(place)?.querySelector(".block, .row, .form");
			return [known, there ? "there" : ""];
		},
		// What a form holds; not while the address asks for another run's settings.
		chosen(values) {
			const address = new URL(location.href);
			if (["duplicate", "longer"].some((name) => address.searchParams.has(name))) return;
			for (const [name, value] of Object.entries(values)) {
				if (value) address.searchParams.set(name, value);
				else address.searchParams.delete(name);
			}
			history.replaceState(history.state, "", address);
		},
		remember(name, value) {
			document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=strict`;
		},
		setTheme(theme) {
			root.dataset.theme = theme;
			this.remember("theme", theme);
			apply();
		},
	};
})();
