// Opens what the address names, and filters the list of all claims. Without this script everything is shown.
(() => {
  "use strict";
  const FIELDS = ["verdict", "page", "kind", "q"];

  function openTarget() {
    const hash = decodeURIComponent(location.hash.slice(1));
    const target = hash && !hash.includes("=") && document.getElementById(hash);
    if (!target || !target.closest("details")) return;
    for (let one = target.closest("details"); one; one = one.parentElement.closest("details")) one.open = true;
    target.scrollIntoView();
  }

  function filter(form) {
    const claims = [...document.querySelectorAll("details.claim")];
    const pages = [...document.querySelectorAll("details.claim-page")];
    const segments = [...document.querySelectorAll(".verdict-bar a[data-verdict]")];
    const status = form.querySelector("[role=status]");
    const words = new Map(claims.map(claim => [claim, `${claim.dataset.plain} ${claim.textContent}`.toLowerCase()]));
    const state = () => {
      const set = FIELDS.map(name => [name, form.elements[name].value.trim()]).filter(pair => pair[1]);
      return new URLSearchParams(set);
    };

    function show() {
      const wanted = state(), text = (wanted.get("q") || "").toLowerCase().split(/\s+/);
      let count = 0;
      for (const claim of claims) {
        const fits = ["verdict", "page", "kind"].every(name => !wanted.has(name) || claim.dataset[name] === wanted.get(name));
        claim.hidden = !(fits && text.every(word => words.get(claim).includes(word)));
        count += !claim.hidden;
      }
      for (const page of pages) {
        page.hidden = !page.querySelector("details.claim:not([hidden])");
        page.open = wanted.size > 0 && !page.hidden;
      }
      for (const one of segments) one.setAttribute("aria-pressed", one.dataset.verdict === wanted.get("verdict"));
      status.textContent = `${count} of ${claims.length} claims`;
    }

    function read() {  // takes the state from the address; an unknown value counts as none
      const given = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
      for (const name of FIELDS) {
        form.elements[name].value = given.get(name) || "";
        if (form.elements[name].selectedIndex === -1) form.elements[name].value = "";
      }
      show();
      if (state().size) form.scrollIntoView();
    }

    function keep(method) {  // puts the state into the address
      const wanted = state();
      history[method](null, "", wanted.size ? `#${wanted}` : location.pathname + location.search);
      show();
    }

    form.hidden = false;
    form.addEventListener("submit", event => event.preventDefault());
    form.addEventListener("change", () => keep("pushState"));
    form.elements.q.addEventListener("input", () => keep("replaceState"));
    form.addEventListener("reset", () => setTimeout(() => keep("pushState")));
    form.querySelector("[data-open]").addEventListener("click", () => pages.forEach(page => { page.open = !page.hidden; }));
    for (const one of segments) {
      one.setAttribute("role", "button");
      one.addEventListener("click", event => {
        event.preventDefault();
        const select = form.elements.verdict;
        select.value = select.value === one.dataset.verdict ? "" : one.dataset.verdict;
        keep("pushState");
        form.scrollIntoView();
      });
      one.addEventListener("keydown", event => {
        if (event.key === " ") { event.preventDefault(); one.click(); }
      });
    }
    addEventListener("popstate", () => { if (!location.hash || location.hash.includes("=")) read(); });
    read();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("form.claim-filter");
    if (form) filter(form);
    openTarget();
    addEventListener("hashchange", openTarget);
  });
})();
