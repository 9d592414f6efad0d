// On paper everything is unfolded and in the colours of the light page, however the reader sees it.
{
  const paper = matchMedia("print");
  let theme, folds;
  paper.addEventListener("change", () => {
    const page = document.documentElement;
    if (paper.matches) {
      theme = page.dataset.theme;
      folds = [...document.querySelectorAll("details:not([open])")];
      page.dataset.theme = "light";
    } else page.dataset.theme = theme;
    for (const fold of folds) fold.open = paper.matches;
  });
}
