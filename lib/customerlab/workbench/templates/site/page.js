// What makes a page easier to read. Without it nothing is lost: all is on the page.
(() => {
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const make = (name, text, attributes = {}) => {
    const element = document.createElement(name);
    element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const contents = document.querySelector(".contents ol");

  // one switch for all code
  const sources = all("details.source");
  if (contents && sources.length) {
    const button = make("button", "Show all code", { type: "button", "aria-pressed": "false" });
    button.onclick = () => {
      const open = button.getAttribute("aria-pressed") === "false";
      sources.forEach((one) => { one.open = open; });
      button.setAttribute("aria-pressed", open);
      button.textContent = open ? "Hide all code" : "Show all code";
    };
    contents.after(button);
  }

  // a filter over headings and captions
  if (contents) {
    const label = make("label", "Find a section, table or figure");
    const input = make("input", "", { type: "search" });
    const found = make("ol", "", { class: "found" });
    const targets = all("main h2[id], main .caption[id], main figure[id]").map((one) => ({
      id: one.id, text: (one.matches("figure") ? one.querySelector("figcaption") : one).textContent.trim(),
    }));
    input.oninput = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const hits = words.length ? targets.filter(({ text }) => words.every((word) => text.toLowerCase().includes(word))) : [];
      found.replaceChildren(...hits.slice(0, 12).map(({ id, text }) => {
        const item = make("li", "");
        item.append(make("a", text.length > 80 ? `${text.slice(0, 79)}…` : text, { href: `#${id}` }));
        return item;
      }));
      contents.hidden = words.length > 0;
    };
    label.append(input);
    contents.before(label, found);
  }

  // the section that is being read is marked in the contents
  const links = new Map(all(".contents li a").map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
  const headings = all("main h2[id]").filter((heading) => links.has(heading.id));
  const mark = () => {
    const passed = headings.filter((heading) => heading.getBoundingClientRect().top < 140).pop() || headings[0];
    links.forEach((link, id) => {
      if (passed && id === passed.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  };
  if (headings.length) {
    new IntersectionObserver(mark, { rootMargin: "0px 0px -70% 0px" }).observe(headings[0]);
    addEventListener("scroll", mark, { passive: true });
    mark();
  }

  // each table as CSV, each figure as PNG
  const save = (name, href) => { make("a", "", { download: name, href }).click(); };
  const page = location.pathname.split("/").pop().replace(/\.html$/, "") || "page";
  const plain = (text) => (/^[+-]?[\d.,]+ ?%?$/.test(text) ? text : text.replace(/^(?='*[=+\-@＝＋－＠])/, "'")); // no formulas
  const quoted = (cell) => `"${plain(cell.textContent.trim()).replaceAll('"', '""')}"`;
  all(".caption[id]").forEach((caption) => {
    const table = document.querySelector(`table[aria-labelledby="${caption.id}"]`);
    if (!table) return;
    const button = make("button", "CSV", { type: "button", "aria-label": `Download ${caption.querySelector(".label").textContent} as CSV` });
    button.onclick = () => {
      const lines = all("tr", table).map((row) => all("th, td", row).map(quoted).join(","));
      const address = URL.createObjectURL(new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
      save(`${page}-${caption.id}.csv`, address);
      setTimeout(() => URL.revokeObjectURL(address), 1000);
    };
    caption.append(" ", button);
  });
  all("main figure[id]").forEach((figure) => {
    const button = make("button", "PNG", { type: "button", "aria-label": `Download ${figure.querySelector(".label").textContent} as PNG` });
    button.onclick = () => save(`${page}-${figure.id}.png`, figure.querySelector("img").src);
    figure.querySelector("figcaption").append(" ", button);
  });
})();
