// What the screens of a labelling project share: their requests, and keys that work only where they should.

const SMALL = 20_000; // Characters that a browser still sends while the page is being left.

export const unreachable = (error) => error instanceof TypeError || error instanceof SyntaxError;

export function asker(project) {
	return async (action, body) => {
		const text = body === undefined ? null : JSON.stringify(body);
		const options = text === null ? {} : {
			method: "POST", headers: { "Content-Type": "application/json" }, body: text, keepalive: text.length < SMALL,
		};
		const reply = await fetch(`/api/label/${project}/${action}`, options);
		const said = await reply.json();
		if (!reply.ok) throw Object.assign(new Error(said.error || reply.status), { gone: said.gone });
		return said;
	};
}

// Keys do nothing in fields, with modifiers, on repeat, while a word is composed, and for what is not on the screen,
// such as behind another tab. ``first`` may take a key before that, ``shifted`` takes a digit with Shift. What returns false
// leaves the key to the browser.
export function listen(root, keys, { first, shifted } = {}) {
	document.addEventListener("keydown", function pressed(event) {
		if (!root.isConnected) return document.removeEventListener("keydown", pressed);
		if (!(event.target instanceof Element) || !root.offsetParent) return;
		if (event.isComposing || event.keyCode === 229 || event.repeat) return;
		const writing = event.target.closest("input, textarea, select, [contenteditable=true]");
		if (first && (!writing || root.contains(writing)) && first(event)) return event.preventDefault();
		if (writing && event.key === "Escape" && root.contains(writing)) return writing.blur();
		if (writing || event.ctrlKey || event.altKey || event.metaKey) return;
		if (event.target.closest("button, a, summary, [role=tab]") && (event.key === "Enter" || event.key === " ")) return;
		const digit = shifted && event.shiftKey && !/\d/.test(event.key) && /^Digit([1-9])$/.exec(event.code);
		const work = digit ? () => shifted(Number(digit[1]) - 1) : keys[event.key] || keys[event.key.toLowerCase()];
		if (work && work() !== false) event.preventDefault();
	});
}
