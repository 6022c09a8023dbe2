// The button that asks the browser whether it may show notifications. Browsers ask only after a click.
import { allowed, set, state } from "./notices.js";

export function mount(element) {
	const place = element.querySelector("#notices-permission");
	const words = JSON.parse(place.dataset.words);
	function draw() {
		const now = state();
		const line = Object.assign(document.createElement("p"), { textContent: words[now], id: "notices-permission-state" });
		place.replaceChildren(line);
		if (now !== "off" && now !== "on") return;
		const button = Object.assign(document.createElement("button"), { type: "button", className: "ts-button", textContent: words[now === "on" ? "switch_off" : "switch_on"] });
		button.id = "notices-switch";
		button.addEventListener("click", async () => {
			if (!allowed()) await Notification.requestPermission();
			set(now !== "on" && allowed());
			draw();
		});
		place.append(button);
	}
	draw();
}
