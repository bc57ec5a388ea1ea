// Runs before the first paint, so that a dark page never flashes white. Kept apart from app.js, which is deferred.
(() => {
  const stored = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is blocked: follow the system
    }
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const choice = stored();
    const isDark = choice === "dark" || (choice !== "light" && system.matches);
    document.documentElement.setAttribute("data-bs-theme", isDark ? "dark" : "light");
    document.documentElement.dataset.themeChoice = choice || "auto";
    document.dispatchEvent(new CustomEvent("theme:changed"));
  };
  window.hubTheme = {
    choose(choice) {
      try {
        if (choice === "auto") localStorage.removeItem("theme");
        else localStorage.setItem("theme", choice);
      } catch {
        // The choice then holds for no longer than the system's own.
      }
      apply();
    },
  };
  system.addEventListener("change", apply);
  apply();
})();
