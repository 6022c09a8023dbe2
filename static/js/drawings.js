// Drawings of a report as pictures: the server has each as an SVG file, a canvas makes a PNG of it.
const SCALE = 2; // Sharp on a screen of twice the density, and in a document.

async function savePicture(address) {
	const reply = await fetch(address);
	if (!reply.ok) throw new Error(await reply.text());
	const drawing = new DOMParser().parseFromString(await reply.text(), "image/svg+xml").documentElement;
	const [width, height] = drawing.getAttribute("viewBox").split(" ").slice(2).map((side) => Number(side) * SCALE);
	drawing.setAttribute("width", width); // Without a size of its own it would be drawn as large as a browser likes.
	drawing.setAttribute("height", height);
	const source = URL.createObjectURL(new Blob([drawing.outerHTML], { type: "image/svg+xml" }));
	try {
		const picture = new Image();
		picture.src = source;
		await picture.decode();
		const canvas = Object.assign(document.createElement("canvas"), { width, height });
		canvas.getContext("2d").drawImage(picture, 0, 0);
		const link = document.createElement("a");
		link.href = canvas.toDataURL("image/png");
		link.download = address.split("/").pop().replace(/svg$/, "png");
		link.click();
	} finally {
		URL.revokeObjectURL(source);
	}
}

export function mount(element) {
	element.addEventListener("click", (event) => {
		const button = event.target.closest("[data-picture]");
		if (button) savePicture(button.dataset.picture);
	});
}
