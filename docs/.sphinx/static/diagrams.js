// Draws the diagrams of a page in the page's theme, and again when the reader changes it.
(() => {
  const diagrams = [...document.querySelectorAll("pre.mermaid")].map((element) => [element, element.textContent]);
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => {
    const theme = document.body.dataset.theme;
    return theme === "dark" || (theme !== "light" && system.matches);
  };
  let drawn;
  const draw = async () => {
    const dark = isDark();
    if (dark === drawn) return;
    drawn = dark;
    for (const [element, text] of diagrams) {
      element.textContent = text;
      element.removeAttribute("data-processed");
    }
    mermaid.initialize({ startOnLoad: false, sequence: { wrap: true, width: 140, actorMargin: 40 }, theme: dark ? "dark" : "neutral", securityLevel: "strict" });
    await mermaid.run({ nodes: diagrams.map(([element]) => element) });
    for (const [element] of diagrams) {
      // On a phone a diagram keeps a width at which it can be read, and is scrolled, also with the keyboard.
      const drawing = element.querySelector("svg");
      drawing.style.minWidth = `min(${Math.ceil(drawing.viewBox.baseVal.width)}px, 42rem)`;
      element.tabIndex = 0;
    }
    document.documentElement.dataset.diagrams = dark ? "dark" : "light";
  };
  new MutationObserver(draw).observe(document.body, { attributeFilter: ["data-theme"] });
  system.addEventListener("change", draw);
  draw();
})();
