// On paper everything is unfolded and in the colours of the light page, however the reader sees it.
{
  const paper = matchMedia("print"),
    page = document.documentElement;
  let before = null;
  const turn = (printed) => {
    if (printed === Boolean(before)) return;
    if (printed) before = { theme: page.dataset.theme, folds: [...document.querySelectorAll("details:not([open])")] };
    for (const fold of before.folds) fold.open = printed;
    page.dataset.theme = printed ? "light" : before.theme;
    if (!printed) before = null;
  };
  paper.addEventListener("change", () => turn(paper.matches));
  addEventListener("beforeprint", () => turn(true)); // some browsers tell by events only
  addEventListener("afterprint", () => turn(false));
}
