// Notifications by this browser while a page of the studio is open, also one that is behind others. No service worker and
// no server but our own: pages ask what is new. Of several tabs only one shows each notice.
const EVERY = 10_000; // Milliseconds; browsers let pages that are behind ask once a minute.
const ON = "tunesmith-notices"; // "1" where this browser shows them.
const LAST = "tunesmith-notices-last"; // The number of the notice that was shown last, by any tab.

const there = () => window.isSecureContext && "Notification" in window;
export const allowed = () => there() && Notification.permission === "granted";

export function state() {
	if (!window.isSecureContext) return "insecure";
	if (!there()) return "missing";
	if (Notification.permission === "denied") return "denied";
	return allowed() && localStorage.getItem(ON) === "1" ? "on" : "off";
}

export function set(on) {
	localStorage.setItem(ON, on ? "1" : "0");
}

function show({ id, title, text, run }) {
	// The tag: should two tabs show one all the same, the second takes the place of the first.
	const shown = new Notification(title, { body: text === title ? "" : text.replace(title, "").trim(), tag: `tunesmith-${id}`, icon: "/static/img/favicon.svg" });
	shown.addEventListener("click", () => {
		window.focus();
		location.assign(run ? `/runs?run=${Number(run)}` : "/notices");
	});
}

async function look() {
	if (state() === "on") {
		const alone = navigator.locks ? (work) => navigator.locks.request("tunesmith-notices", { ifAvailable: true }, (lock) => (lock ? work() : undefined)) : (work) => work();
		try {
			await alone(async () => {
				const last = Number(localStorage.getItem(LAST)) || 0;
				const answer = await fetch(`/api/notices?after=${last}`, { headers: { Accept: "application/json" } });
				if (!answer.ok) return;
				for (const notice of (await answer.json()).notices) {
					localStorage.setItem(LAST, String(notice.id));
					show(notice);
				}
			});
		} catch {
			// The server is away, which the navigation says; it is asked again.
		}
	}
	setTimeout(look, EVERY);
}

export function begin() {
	look();
}
