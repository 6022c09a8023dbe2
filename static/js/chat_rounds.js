// The rounds of a conversation: one way for new and old ones to be judged, asked again, corrected and sent.
import { openDialog } from "./chat_dialog.js";

const [LOOK_EVERY, PATIENCE, SILENCE] = [120, 2000, 60_000]; // Milliseconds.

export function begin(main) {
	const pairs = new Map();
	const compared = new Set();
	const kept = new WeakMap(); // Of a text that is shown word by word: how it looks else.
	let timer = 0;
	const underWay = new Set();
	let last = Promise.resolve();

	const key = (round) => `${round.dataset.chat}:${round.dataset.round}`;
	const numbered = (number) => main.querySelector(`.ts-round[data-round="${number}"]`);
	const pair = (round) => pairs.get(key(round)) || [0, 1];
	const shown = (round) => ({ left: pair(round)[0], right: pair(round)[1], seen: Number(round.dataset.attempt) });

	async function ask(round, action, body) {
		const options = body === undefined ? {} : {
			method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
		};
		options.signal = AbortSignal.timeout(SILENCE);
		const address = `/api/chat/${round.dataset.chat}/rounds/${round.dataset.round}`;
		const { unreachable } = document.querySelector("#chat-dialog dialog").dataset;
		const reply = await fetch(action ? `${address}/${action}` : address, options).catch(() => { throw new Error(unreachable); });
		const said = await reply.json().catch(() => ({}));
		if (!reply.ok) throw new Error(said.error || reply.statusText);
		return said;
	}

	// The server has escaped all that is not its own.
	function draw(said) {
		for (const [number, html] of Object.entries(said.rounds || {})) {
			const template = document.createElement("template");
			template.innerHTML = html;
			const fresh = template.content.firstElementChild;
			const old = numbered(number);
			if (!old) continue;
			if (old.dataset.shape === fresh.dataset.shape) refresh(old, fresh);
			else replace(old, fresh);
		}
		follow();
	}

	// Paragraphs that stay are left alone, with what is selected in them.
	function patch(to, from) {
		const now = [...from.childNodes];
		while (to.childNodes.length > now.length) to.lastChild.remove();
		now.forEach((fresh, place) => {
			const old = to.childNodes[place];
			if (!old) to.append(fresh);
			else if (!old.isEqualNode(fresh)) old.replaceWith(fresh);
		});
	}

	// While only texts grow, the buttons stay, and with them the focus and what is selected.
	function refresh(old, fresh) {
		const now = fresh.querySelectorAll(".ts-answer");
		old.querySelectorAll(".ts-answer").forEach((answer, place) => {
			for (const part of [".ts-text", ".ts-raw", ".ts-answer-note", ".ts-figures"]) {
				const [to, from] = [answer.querySelector(part), now[place].querySelector(part)];
				if (!to || !from || kept.has(to) || to.innerHTML === from.innerHTML) continue;
				const below = to.scrollHeight - to.scrollTop - to.clientHeight < 24;
				patch(to, from);
				if (below) to.scrollTop = to.scrollHeight;
			}
		});
	}

	function replace(old, fresh) {
		const focused = old.contains(document.activeElement) ? document.activeElement : null;
		fresh.querySelector(".ts-round-said").replaceChildren(...old.querySelector(".ts-round-said").childNodes);
		old.replaceWith(fresh);
		choosePair(fresh, pair(fresh));
		if (compared.has(key(fresh))) compare(fresh, true);
		if (!focused) return;
		const { action, place, verdict } = focused.dataset;
		const alike = [...fresh.querySelectorAll("[data-action]")].find(
			(one) => one.dataset.action === action && one.dataset.place === place && one.dataset.verdict === verdict,
		);
		const next = alike || fresh.querySelector('[data-action="undo"]') || fresh;
		next.focus({ preventScroll: true });
	}

	// Follows the round that is being answered until it has ended.
	function follow(wait = LOOK_EVERY) {
		const live = main.querySelector(".ts-round[data-streaming]");
		if (!live || timer) return;
		timer = setTimeout(async () => {
			let next = LOOK_EVERY;
			try {
				const said = await ask(live);
				if (live.isConnected) draw(said);
			} catch {
				next = PATIENCE;
			} finally {
				timer = 0;
			}
			follow(next);
		}, wait);
	}

	function tell(round, html) {
		const line = round && round.querySelector(".ts-round-said");
		if (line) line.innerHTML = html || "";
	}
	function complain(round, sentence) {
		const notice = Object.assign(document.createElement("div"), { className: "ts-notice ts-notice-bad", role: "alert" });
		notice.textContent = sentence;
		round.querySelector(".ts-round-said").replaceChildren(notice);
	}
	// Who is refused sees how the round is now: it was judged elsewhere, or what came of this was lost on its way.
	const post = (round, action, body) => ask(round, action, body).catch(async (error) => {
		await ask(round).then(draw, () => {});
		throw error;
	});
	function take(round, said) {
		if (said.address) return window.location.assign(said.address);
		draw(said);
		tell(numbered(round.dataset.round), said.message);
	}
	// One after the other, so that a vote is not lost because a side is still being stopped. The same once more
	// while it is under way is a second click.
	function act(round, action, body) {
		const name = [key(round), action, body.place].join(":");
		if (underWay.has(name)) return;
		underWay.add(name);
		last = last.then(async () => {
			try {
				take(round, await post(round, action, body));
			} catch (error) {
				const now = numbered(round.dataset.round);
				if (now) complain(now, error.message);
			} finally {
				underWay.delete(name);
			}
		});
	}

	function choosePair(round, chosen) {
		const group = round.querySelector(".ts-pairs");
		if (!group) return;
		pairs.set(key(round), chosen);
		for (const chip of group.querySelectorAll("[data-pair]")) {
			chip.setAttribute("aria-pressed", String(chip.dataset.pair === chosen.join("-")));
		}
		["a", "b"].forEach((verdict, n) => {
			const label = round.querySelector(`[data-verdict="${verdict}"] span`);
			if (label) label.textContent = group.dataset.better.replace("*", "ABCD"[chosen[n]]);
		});
	}

	async function compare(round, on) {
		const texts = [...round.querySelectorAll(".ts-text")];
		if (on) compared.add(key(round));
		else compared.delete(key(round));
		round.querySelector('[data-action="difference"]')?.setAttribute("aria-pressed", String(on));
		const [left, right] = pair(round);
		for (const text of texts) {
			if (kept.has(text)) text.replaceChildren(...kept.get(text));
			kept.delete(text);
			delete text.dataset.view;
		}
		if (!on || round.hasAttribute("data-streaming")) return;
		try {
			const said = await ask(round, `difference?left=${left}&right=${right}`);
			[left, right].forEach((place, n) => {
				kept.set(texts[place], [...texts[place].childNodes]);
				texts[place].dataset.view = "difference";
				texts[place].replaceChildren(...said.difference[n].map(([only, piece]) => {
					const part = document.createElement(only ? "mark" : "span");
					part.textContent = piece;
					return part;
				}));
			});
		} catch (error) {
			complain(round, error.message);
		}
	}

	function dialog(round, kind, place) {
		const judged = shown(round);
		const text = kind === "prompt" ? round.querySelector(".ts-prompt p").textContent
			: kind === "correct" ? round.querySelectorAll(".ts-raw")[place].textContent : "";
		openDialog(kind, `${key(round)}:${kind}:${place ?? ""}`, text, async (entered) => {
			const body = kind === "prompt" ? { text: entered.text }
				: kind === "correct" ? { place, seen: judged.seen, ...entered } : { ...judged, project: entered.project };
			const said = await post(round, kind, body);
			take(round, said);
			return said;
		});
	}

	const actions = {
		vote: (round, button) => act(round, "vote", { verdict: button.dataset.verdict, ...shown(round) }),
		difference: (round) => compare(round, !compared.has(key(round))),
		correct: (round, button) => dialog(round, "correct", Number(button.dataset.place)),
		prompt: (round) => dialog(round, "prompt"),
		send: (round) => dialog(round, "send"),
	};
	main.addEventListener("click", (event) => {
		const button = event.target.closest("button");
		const round = button && button.closest(".ts-round");
		if (!round) return;
		if (button.dataset.pair) {
			choosePair(round, button.dataset.pair.split("-").map(Number));
			if (compared.has(key(round))) compare(round, true);
			return;
		}
		const { action, place } = button.dataset;
		if (actions[action]) actions[action](round, button);
		else if (action) act(round, action, place === undefined ? {} : { place: Number(place) });
	});

	return {
		follow,
		stop: () => {
			const live = main.querySelector(".ts-round[data-streaming]");
			if (live) act(live, "stop", {});
		},
		// The round that keys mean: the one with the focus, else the newest.
		meant: () => document.activeElement?.closest(".ts-round") || main.querySelector("#chat-live .ts-round"),
	};
}
