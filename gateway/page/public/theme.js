// Before the first paint: the theme that the reader has chosen, or the system's. The rest is src/theme.ts.
{
  let theme = "system";
  try {
    theme = localStorage.getItem("dashfeed.theme");
  } catch { /* storage is forbidden here */ }
  const dark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}
