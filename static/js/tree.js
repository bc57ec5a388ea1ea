// Drag and drop in the reporting tree: dropping somebody on a manager asks for the preview of that move. The same by keyboard
// is the link "Move…" of each person; without this file that link is the only way.

const form = document.getElementById("tree-move");
let dragged = null;

const rowOf = (event) => (event.target instanceof Element ? event.target.closest("[data-move-url]") : null);
// A person cannot come below somebody of the own team; the service refuses it, and the page does not even offer it.
const placeOf = (event) => {
  const place = event.target instanceof Element ? event.target.closest("[data-drop]") : null;
  if (!dragged || !place || dragged.parentElement.contains(place)) return null;
  return place;
};
const mark = (place) => {
  for (const one of document.querySelectorAll(".hub-tree-target")) if (one !== place) one.classList.remove("hub-tree-target");
  place?.classList.add("hub-tree-target");
};

document.addEventListener("dragstart", (event) => {
  dragged = rowOf(event);
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.member);
  dragged.classList.add("hub-tree-dragged");
});
document.addEventListener("dragover", (event) => {
  const place = placeOf(event);
  mark(place);
  if (!place) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "move";
});
document.addEventListener("drop", (event) => {
  const place = placeOf(event);
  if (!place) return;
  event.preventDefault();
  form.action = dragged.dataset.moveUrl;
  form.elements.namedItem("manager").value = place.dataset.drop;
  form.requestSubmit();
});
document.addEventListener("dragend", () => {
  dragged?.classList.remove("hub-tree-dragged");
  dragged = null;
  mark(null);
});
