// What is searched for is first of all the name of a page: "Figure 5" is the page of this name, not one that mentions it.
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: {0: 15, 1: 5, 2: -5},
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  score: ([page, title, anchor, description, score]) => {
    const plain = (text) => ` ${text.toLowerCase().replace(/[^\p{Letter}\p{Number}]+/gu, " ").trim()} `;
    const query = plain(new URLSearchParams(location.search).get("q") || "");
    if (/^ eqs? \d/.test(query) && /equation/i.test(title)) return score + 100;
    const [name, section] = title.split(" > ").map(plain);
    if (name.startsWith(query)) return score + (section ? 50 : 100);
    return score + ((section ?? name).includes(query) ? 30 : 0);
  },
};
