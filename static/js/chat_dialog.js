// The form for a correction, a changed prompt, and the project of a turn. What was written is kept until it is sent.
const PROJECT = "chat-project";

export function openDialog(kind, name, text, send) {
	const dialog = document.querySelector("#chat-dialog dialog");
	const part = (one) => dialog.querySelector(`[data-part="${one}"]`);
	const [box, project, error] = [part("text"), part("project"), part("error")];
	const field = project.querySelector("input");
	const draft = `chat-draft:${name}`;
	let sending = false;

	dialog.querySelector("h2").textContent = dialog.getAttribute(`data-title-${kind}`);
	part("do").textContent = dialog.getAttribute(`data-do-${kind}`);
	box.hidden = kind === "send";
	project.hidden = kind === "prompt";
	error.hidden = true;
	box.value = sessionStorage.getItem(draft) ?? text;
	field.value = localStorage.getItem(PROJECT) || field.value;
	box.oninput = () => sessionStorage.setItem(draft, box.value);
	box.onkeydown = (event) => {
		if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) submit(event);
	};
	part("cancel").onclick = () => dialog.close();
	dialog.querySelector("form").onsubmit = submit;

	async function submit(event) {
		event.preventDefault();
		if (sending) return;
		sending = true;
		try {
			const said = await send({ text: box.value, project: field.value });
			sessionStorage.removeItem(draft);
			if (said.project) remember(said.project);
			dialog.close();
		} catch (refused) {
			error.textContent = refused.message;
			error.hidden = false;
		} finally {
			sending = false;
		}
	}
	function remember(chosen) {
		localStorage.setItem(PROJECT, chosen);
		const known = dialog.querySelector("datalist");
		if ([...known.options].some((one) => one.value === chosen)) return;
		known.append(new Option("", chosen));
	}
	const { activeElement } = document;
	dialog.onclose = () => activeElement?.isConnected && activeElement.focus({ preventScroll: true });
	dialog.showModal();
	(box.hidden ? field : box).focus();
}
