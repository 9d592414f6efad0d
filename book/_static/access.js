// What the theme leaves out for readers with a keyboard or a screen reader.
function reachable() {
  // A box that scrolls sideways can be scrolled by keys only if it takes the focus.
  for (const box of document.querySelectorAll("main table, main div, main pre, main p")) {
    if (box.scrollWidth > box.clientWidth && /auto|scroll/.test(getComputedStyle(box).overflowX)) box.tabIndex = 0;
  }
}

addEventListener("load", () => {
  // The arrows of the table of contents are pictures without words.
  for (const arrow of document.querySelectorAll("nav summary")) {
    const page = arrow.closest("li").querySelector("a");
    arrow.setAttribute("aria-label", `Pages of ${page ? page.textContent.trim() : "this part"}`);
  }
  reachable();
});
addEventListener("resize", reachable);
