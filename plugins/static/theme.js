// Before the first paint: take over Airflow's light or dark. Without an answer the system's preference stands.
(() => {
  const dark = () => {
    if (window.parent !== window) return window.parent.document.documentElement.classList.contains("dark");
    const stored = window.localStorage.getItem("theme");
    return stored === "dark" ? true : stored === "light" ? false : null;
  };
  try {
    const answer = dark();
    if (answer !== null) document.documentElement.dataset.theme = answer ? "dark" : "light";
    if (window.parent !== window) {
      new MutationObserver(() => {
        document.documentElement.dataset.theme = dark() ? "dark" : "light";
      }).observe(window.parent.document.documentElement, { attributes: true, attributeFilter: ["class"] });
    }
  } catch {
    // A frame of another origin: the system's preference stands.
  }
})();
