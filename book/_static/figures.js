// A tap on a figure shows it as large as the screen allows; Escape, a tap beside it or the button closes it.
document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.setAttribute("aria-label", "Figure, enlarged");
  dialog.addEventListener("click", () => dialog.close());
  document.body.append(dialog);
  for (const button of document.querySelectorAll(".book-figure .whole")) {
    button.addEventListener("click", () => {
      const close = document.createElement("button");
      close.type = "button";
      close.textContent = "Close";
      dialog.replaceChildren(close, ...[...button.children].map((image) => image.cloneNode()));
      dialog.showModal();
    });
  }
});
