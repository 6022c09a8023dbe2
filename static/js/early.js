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

	window.tunesmith = {
		isDark,
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
