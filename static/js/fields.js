// What Gradio's fields lack for the keyboard, for screen readers and for the eye. Gradio has no options for any of it,
// and draws fields again as it likes, so that they are mended whenever something of them has changed.
(() => {
	"use strict";
	const page = document.getElementById("ts-content");
	const words = page.dataset;
	let ids = 0;
	const idOf = (node) => (node.id ||= `ts-field-${++ids}`);
	const put = (node, name, value) => {
		if (node.getAttribute(name) !== value) node.setAttribute(name, value);
	};
	const each = (root, selector, mend) => {
		if (root.matches(selector)) mend(root);
		root.querySelectorAll(selector).forEach(mend);
	};

	// Gradio gives every radio button a name of its own, so that each is a group of one: reached by Tab, deaf to arrows.
	function group(fieldset, title, help) {
		const radios = fieldset.querySelectorAll("input[type=radio]");
		for (const radio of radios) put(radio, "name", idOf(fieldset));
		put(fieldset, "role", radios.length ? "radiogroup" : "group");
		name(fieldset, title, help);
	}

	// Gradio takes the help for part of a text box's name, and calls the two inputs of a slider "range slider for ...".
	function name(input, title, help) {
		put(input, "aria-labelledby", idOf(title));
		if (help) put(input, "aria-describedby", idOf(help));
		else input.removeAttribute("aria-describedby");
	}

	function field(title) {
		const block = title.closest(".block:not(label)");
		if (!block) return;
		const help = block.querySelector(".info-text");
		if (block.matches("fieldset")) group(block, title, help);
		else for (const input of block.querySelectorAll("input, textarea")) name(input, title, help);
	}

	function checkbox(box) {
		const help = box.parentElement.querySelector(":scope > .info-text");
		if (help) put(box.querySelector("input"), "aria-describedby", idOf(help));
	}

	// Help is one line; where it is longer, a button shows the rest. All are measured before any is changed: each
	// change would have the page laid out anew for the next measure.
	function more(helps) {
		const shown = [...helps].filter((help) => help.isConnected && help.clientWidth);
		const long = shown.map((help) =>
			help.dataset.open !== undefined || help.scrollWidth > help.clientWidth || help.scrollHeight > help.clientHeight);
		shown.forEach((help, at) => (long[at] ? offer(help) : help.querySelector(":scope > .ts-more")?.remove()));
	}
	function offer(help) {
		let button = help.querySelector(":scope > .ts-more");
		if (!button) {
			button = Object.assign(document.createElement("button"), { type: "button", className: "ts-more", textContent: "?" });
			const block = help.closest(".block:not(label)");
			const title = block?.querySelector("[data-testid=block-info], .label-text")?.textContent.trim() ?? "";
			button.setAttribute("aria-label", words.more.replace("{name}", title));
			help.append(button);
		}
		put(button, "aria-expanded", String(help.dataset.open !== undefined));
	}
	const changed = new Set();
	function measure(help) {
		sizes.observe(help);
		if (!changed.size) requestAnimationFrame(() => { more(changed); changed.clear(); });
		changed.add(help);
	}
	page.addEventListener("click", (event) => {
		const help = event.target.closest(".ts-more")?.parentElement;
		if (!help) return;
		event.preventDefault(); // The help stands in the label, which would hand the click on to the input.
		help.toggleAttribute("data-open");
		more([help]);
	});
	const sizes = new ResizeObserver((entries) => more(entries.map((entry) => entry.target)));

	// "Remove 0": of which there are as many as fields.
	function token(button) {
		const said = words.remove.replace("{name}", button.parentElement.textContent.trim());
		put(button, "aria-label", said);
		put(button, "title", said);
	}

	// A part that folds says so only by an arrow, which belongs to its name and points away from it.
	function fold(button) {
		put(button, "aria-expanded", String(button.classList.contains("open")));
		put(button.querySelector(".icon"), "aria-hidden", "true");
		observer.observe(button, { attributeFilter: ["class"] });
	}

	// A message's head calls itself a button, with the button that closes it inside.
	function plain(head) {
		head.removeAttribute("role");
		head.removeAttribute("tabindex");
	}

	function mend(root) {
		each(root, "[data-testid=block-info]", field);
		each(root, ".checkbox-container", checkbox);
		each(root, ".info-text", measure);
		each(root, ".token > .token-remove", token);
		each(root, ".reset-button", (button) => { put(button, "aria-label", words.reset); put(button, "title", words.reset); });
		each(root, ".label-wrap:has(> .icon)", fold);
		each(root, ".toast-header[role]", plain);
	}

	// Whether a root around this one is mended too, and this one with it.
	function within(root, roots) {
		for (let node = root.parentElement; node && node !== page; node = node.parentElement) if (roots.has(node)) return true;
		return root !== page && roots.has(page);
	}

	const observer = new MutationObserver((changes) => {
		const roots = new Set();
		for (const { target } of changes) {
			const node = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
			if (node?.isConnected) roots.add(node.closest(".block:not(label)") ?? node);
		}
		for (const root of roots) if (!within(root, roots)) mend(root);
	});
	observer.observe(page, { childList: true, characterData: true, subtree: true });
})();
