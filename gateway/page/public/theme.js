// Sets the theme before the first paint: the viewer's choice, or the system's. src/theme.ts does
// the rest.
{
  let theme = "system";
  try {
    theme = localStorage.getItem("dashfeed.theme");
  } catch { /* storage is forbidden here */ }
  const dark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}
