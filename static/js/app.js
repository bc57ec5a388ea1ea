// Behaviour that HTML does not give by itself. Everything is delegated from the document, so that it also holds for what
// htmx swaps in. Without this file every page still works: it only loses comfort.

const on = (event, selector, handler) =>
  document.addEventListener(event, (e) => {
    const element = e.target instanceof Element ? e.target.closest(selector) : null;
    if (element) handler(element, e);
  });

// Theme: three buttons in the user menu, of which one is pressed.
const showThemeChoice = () => {
  const choice = document.documentElement.dataset.themeChoice;
  for (const button of document.querySelectorAll("button[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
  }
};
on("click", "button[data-theme-choice]", (button) => {
  window.hubTheme.choose(button.dataset.themeChoice);
  showThemeChoice();
});
showThemeChoice();

// Menus are <details data-menu>: a click elsewhere, Escape, or leaving by Tab closes them. Leaving is read from the Tab key,
// not from focusin: pressing the mouse on text inside a menu moves the focus to <main>, and that is no leaving.
const closeMenus = (keepFor) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(keepFor)) menu.open = false;
  }
};
document.addEventListener("click", (e) => closeMenus(e.target));
document.addEventListener("keyup", (e) => {
  if (e.key === "Tab") closeMenus(document.activeElement);
});
document.addEventListener("keydown", (e) => {
  if (e.key !== "Escape") return;
  const menu = document.querySelector("details[data-menu][open]");
  if (!menu) return;
  closeMenus(null);
  menu.querySelector("summary").focus();
});

// Filters: a closed menu of checkboxes says what is chosen, empty controls stay out of the address, and leaving the search
// box asks for nothing that its typing has not asked for already.
on("change", "[data-multi] input", (input) => {
  const menu = input.closest("[data-multi]");
  const chosen = [...menu.querySelectorAll("input:checked")].map((one) => one.parentElement.textContent.trim());
  const text = chosen.length > 1 ? String(chosen.length) : chosen[0];
  menu.querySelector("[data-multi-label]").textContent = text ? `${menu.dataset.multi}: ${text}` : menu.dataset.multi;
});
document.addEventListener("htmx:configRequest", (e) => {
  if (e.target.id !== "list-filters") return;
  const { formData } = e.detail;
  for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
});
document.addEventListener("change", (e) => e.target.matches?.("#list-filters [type=search]") && e.stopPropagation(), true);

// Dialogs: [data-dialog-open="id"] opens, [data-dialog-close] closes; <dialog> itself keeps the focus inside.
on("click", "[data-dialog-open]", (button, e) => {
  const dialog = document.getElementById(button.dataset.dialogOpen);
  if (!dialog) return;
  e.preventDefault();
  dialog.showModal();
});
on("click", "[data-dialog-close]", (button) => button.closest("dialog").close());
on("click", "dialog", (dialog, e) => {
  if (e.target === dialog) dialog.close();
});

// Ticks every box of a form that stands elsewhere on the page, or, where all are ticked, none.
for (const button of document.querySelectorAll("[data-check-all]")) button.hidden = false;
on("click", "[data-check-all]", (button) => {
  const boxes = [...document.querySelectorAll(`input[type=checkbox][form="${button.dataset.checkAll}"]`)];
  const isEvery = boxes.every((box) => box.checked);
  for (const box of boxes) box.checked = !isEvery;
});

// A message is taken away by its button.
on("click", "[data-dismiss]", (button) => button.closest(button.dataset.dismiss).remove());

// Forms that start something are sent once: a second click while the first is on its way does nothing.
document.addEventListener("submit", (e) => {
  if (e.defaultPrevented || e.target.method !== "post" || e.target.hasAttribute("hx-post")) return;
  if (e.target.dataset.sent) {
    e.preventDefault();
    return;
  }
  e.target.dataset.sent = "true";
  for (const button of e.target.querySelectorAll("button[type=submit]")) button.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
});

// Copy a value that is shown once, such as an access key.
on("click", "[data-copy]", async (button) => {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
  announce("Copied.");
});

// Show or hide a password.
on("click", "[data-reveal]", (button) => {
  const input = document.getElementById(button.dataset.reveal);
  const isShown = input.type === "text";
  input.type = isShown ? "password" : "text";
  button.setAttribute("aria-pressed", String(!isShown));
});

// Going back is a button only where there is a page to go back to.
for (const button of document.querySelectorAll("[data-back]")) button.hidden = history.length < 2;
on("click", "[data-back]", () => history.back());

// Short notes at the edge of the page. The region is live, so they are read out too.
const announce = (text) => {
  const note = document.createElement("p");
  note.className = "toast-note";
  note.textContent = text;
  document.getElementById("announcements").append(note);
  setTimeout(() => note.remove(), 8000);
};

// A background request that was refused says so. A refusal carries its own sentence; failures get one from here.
const refusalOf = (xhr) =>
  new DOMParser().parseFromString(xhr.responseText, "text/html").querySelector("[data-sentence]")?.textContent;
const failures = {
  403: "You are not allowed to do that.",
  404: "That no longer exists. Reload the page.",
};
document.addEventListener("htmx:responseError", (e) => {
  const { xhr } = e.detail;
  if (xhr.status === 401) {
    location.reload(); // the session ended: the reload leads to sign-in and back
    return;
  }
  announce(refusalOf(xhr) ?? failures[xhr.status] ?? `That did not work (error ${xhr.status}). Try again in a moment.`);
});
document.addEventListener("htmx:sendError", () => announce("The server cannot be reached. Check your connection."));
document.addEventListener("htmx:timeout", () => announce("The server took too long. Try again."));
