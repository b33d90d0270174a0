/* What every page must hold for people who see little, use no mouse or hear the page read. Returns complaints. */
() => {
  const wrong = [];
  const where = (e) => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + " “" + (e.textContent || e.name || "").trim().slice(0, 40) + "”";
  const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;
  const named = (e) => {
    const by = (e.getAttribute("aria-labelledby") || "").split(" ").filter(Boolean).map((id) => document.getElementById(id)?.textContent || "").join(" ");
    const alt = [...e.querySelectorAll("img[alt]")].map((i) => i.alt).join(" ");
    return (e.getAttribute("aria-label") || by || e.textContent || alt || "").trim();
  };

  if (!["ru", "en"].includes(document.documentElement.lang)) wrong.push("no language");
  if (!document.title.trim()) wrong.push("no title");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  for (const landmark of ["header", "main", "nav"])
    if (!document.querySelector("body " + landmark)) wrong.push("no " + landmark);
  if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");
  for (const nav of document.querySelectorAll("nav"))
    if (!nav.getAttribute("aria-label")) wrong.push("unnamed " + where(nav));
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) wrong.push("skipped a level: " + where(heading));
    level = own;
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) wrong.push("twice the id " + id);
  for (const attribute of ["aria-labelledby", "aria-describedby"])
    for (const e of document.querySelectorAll(`[${attribute}]`))
      for (const id of e.getAttribute(attribute).split(" "))
        if (!document.getElementById(id)) wrong.push(`${attribute} of ${where(e)} leads nowhere`);
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (![...e.labels].some((label) => label.textContent.trim()) && !e.getAttribute("aria-label")) wrong.push("no label: " + e.name);
  for (const e of document.querySelectorAll("a, button, summary")) if (!named(e)) wrong.push("no name: " + where(e));
  for (const e of document.querySelectorAll("img:not([alt])")) wrong.push("no alt: " + e.src);
  for (const e of document.querySelectorAll("svg"))
    if (!e.closest("[aria-hidden=true], [role=img][aria-label]")) wrong.push("a picture without words");
  for (const table of document.querySelectorAll("table")) {
    const columns = table.querySelectorAll("thead th").length;
    if (!columns) wrong.push("a table without headers");
    for (const row of table.querySelectorAll("tbody tr"))
      if (row.children.length !== columns) wrong.push("a row of " + row.children.length + " under " + columns + " headers");
  }

  const parsed = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const colour = parsed(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const told = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !seen(e) || e.closest("option, .skip")) continue;
    const style = getComputedStyle(e);
    const [one, two] = [light(parsed(style.color)), light(behind(e))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const what = `${style.color} on ${behind(e)}: ${ratio.toFixed(2)}`;
    if (ratio < (large ? 3 : 4.5) && !told.has(what)) {
      told.add(what);
      wrong.push("too little contrast, " + what + ", " + where(e));
    }
  }
  return wrong;
}
