// The chat page's own behaviour: keys for votes, sending with Enter, examples, the address of a conversation.
const VOTES = { 1: "chat-vote-a", 2: "chat-vote-b", 3: "chat-vote-tie", 4: "chat-vote-bad" };

const field = () => document.querySelector("#chat-prompt textarea, #chat-prompt input");

function isTyping(event) {
	const target = event.composedPath()[0];
	return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName || "");
}

function onKey(event) {
	if (event.isComposing || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
	if (isTyping(event) || !(event.key in VOTES)) return;
	const button = document.getElementById(VOTES[event.key]);
	if (button && !button.disabled && button.offsetParent) {
		event.preventDefault();
		button.click();
	}
}

// Enter that ends the composition of a Chinese word is not the Enter that sends.
function onComposing(event) {
	if (event.key === "Enter" && (event.isComposing || event.keyCode === 229) && event.target === field()) {
		event.stopImmediatePropagation();
	}
}

function write(text) {
	const box = field();
	const prototype = box.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
	Object.getOwnPropertyDescriptor(prototype.prototype, "value").set.call(box, text);
	box.dispatchEvent(new Event("input", { bubbles: true }));
	box.focus();
}

export function mount(element, watch) {
	let round = "";

	function onChange() {
		const shown = element.querySelector("[data-chat]");
		const now = shown ? `${shown.dataset.chat}:${shown.dataset.round}` : "";
		if (now !== round) {
			const address = shown ? `/chat?chat=${shown.dataset.chat}` : "/chat";
			if (round || shown) history.replaceState(history.state, "", address);
			round = now;
			if (shown) shown.scrollIntoView({ block: "nearest" });
		}
	}

	element.addEventListener("click", (event) => {
		const example = event.target.closest("[data-prompt]");
		if (example) write(example.dataset.prompt);
	});
	const composing = (event) => onComposing(event);
	const voting = (event) => {
		if (element.isConnected) return onKey(event);
		document.removeEventListener("keydown", voting);
		document.removeEventListener("keydown", composing, true);
	};
	document.addEventListener("keydown", voting);
	document.addEventListener("keydown", composing, true);
	watch("value", () => requestAnimationFrame(onChange));
	onChange();
}
