// The page works without this file; it adds a quiet refresh and makes links to DAGs leave Airflow's frame.
(() => {
  const REFRESH_MS = 30_000;

  const refresh = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(window.location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.redirected) return window.location.reload(); // signed out
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("content");
      const shown = document.getElementById("content");
      if (fresh && !shown.contains(document.activeElement)) shown.replaceChildren(...fresh.childNodes);
    } catch {
      // The server is away for a moment; what is shown says how old it is.
    }
  };

  // Airflow's frame forbids its content to move the window above it, but shares its origin: let that window's own
  // document follow the link.
  const leaveFrame = (event) => {
    const link = event.target.closest("a.dag");
    if (!link || window.parent === window || event.ctrlKey || event.metaKey || event.button !== 0) return;
    event.preventDefault();
    const above = window.parent.document;
    const anchor = above.createElement("a");
    anchor.href = link.href;
    above.body.append(anchor);
    anchor.click();
    anchor.remove();
  };

  window.setInterval(refresh, REFRESH_MS);
  document.addEventListener("visibilitychange", refresh);
  document.addEventListener("click", leaveFrame);
})();
