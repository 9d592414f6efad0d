// Definitions of terms: moved into view, opened by a tap, closed by Escape. Without this script they still show.
document.addEventListener("DOMContentLoaded", () => {
  const terms = [...document.querySelectorAll(".term")];
  const margin = 8;

  function place(term) {
    const definition = term.querySelector(".definition");
    definition.style.left = "0";
    const box = definition.getBoundingClientRect();
    const beyond = box.right + margin - document.documentElement.clientWidth;
    const shift = Math.min(Math.max(0, beyond), box.left - margin);
    definition.style.left = `${-shift}px`;
  }

  function close(except) {
    for (const term of terms) if (term !== except) term.classList.remove("open");
  }

  for (const term of terms) {
    const link = term.querySelector("a");
    link.setAttribute("aria-describedby", term.querySelector(".definition").id);
    term.addEventListener("pointerenter", () => place(term));
    term.addEventListener("focusin", () => place(term));
    for (const event of ["pointerleave", "focusout"]) term.addEventListener(event, () => term.classList.remove("closed"));
    // A finger has no hover: the first tap shows the definition, a second one follows the link.
    let touched = false;
    link.addEventListener("pointerdown", (event) => (touched = event.pointerType === "touch"));
    link.addEventListener("click", (event) => {
      const finger = touched;
      touched = false;
      if (!finger || term.classList.contains("open")) return;
      event.preventDefault();
      term.classList.remove("closed");
      term.classList.add("open");
      place(term);
    });
  }

  document.addEventListener("click", (event) => close(event.target.closest?.(".term")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    close();
    for (const term of terms) if (term.matches(":hover, :focus-within")) term.classList.add("closed");
  });
});
