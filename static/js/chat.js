// The chat page's own behaviour: keys, sending with Enter, examples, the address of a conversation.
import { begin } from "./chat_rounds.js";

const VERDICTS = { 1: "a", 2: "b", 3: "tie", 4: "both_bad" };
const ACTIONS = { d: "difference", u: "undo" };

const field = () => document.querySelector("#chat-prompt textarea, #chat-prompt input");

function isTyping(event) {
	const target = event.composedPath()[0];
	return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName || "");
}

function onKey(event, round) {
	if (event.key === "Escape" && event.target === field() && !event.isComposing) return field().blur();
	if (event.isComposing || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
	if (isTyping(event) || !round || document.querySelector("dialog[open]")) return;
	const verdict = VERDICTS[event.key];
	const action = ACTIONS[event.key.toLowerCase()];
	if (!verdict && !action) return;
	const button = round.querySelector(verdict ? `[data-verdict="${verdict}"]` : `[data-action="${action}"]`);
	if (button && !button.disabled) {
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
	const main = element.closest(".ts-chat-main");
	const rounds = begin(main);
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
		rounds.follow();
	}

	main.addEventListener("click", (event) => {
		const example = event.target.closest("[data-prompt]");
		if (example) write(example.dataset.prompt);
		if (event.target.closest("#chat-stop")) rounds.stop();
	});
	const composing = (event) => onComposing(event);
	const pressing = (event) => {
		if (element.isConnected) return onKey(event, rounds.meant());
		document.removeEventListener("keydown", pressing);
		document.removeEventListener("keydown", composing, true);
	};
	document.addEventListener("keydown", pressing);
	document.addEventListener("keydown", composing, true);
	watch("value", () => requestAnimationFrame(onChange));
	onChange();
	main.setAttribute("data-ready", "");
	document.dispatchEvent(new Event("ts-chat-ready"));
}
