/** Dark, light, or as the system has it. Runs in the browser, which remembers the choice. */
import { byId, setText } from "./dom.ts";

const THEMES = ["auto", "dark", "light"] as const;
type Theme = (typeof THEMES)[number];

const WORDS: Readonly<Record<Theme, readonly [short: string, long: string]>> = {
  auto: ["Auto", "Colours: as the system has them"],
  dark: ["Dark", "Colours: dark"],
  light: ["Light", "Colours: light"],
};

const KEY = "choir-theme";

/** Takes up the choice of before; calls back whenever colours change. */
export function startTheme(changed: () => void): void {
  const button = byId("theme", HTMLButtonElement);
  let theme = THEMES.find((each) => each === localStorage.getItem(KEY)) ?? "auto";
  const apply = (): void => {
    document.documentElement.dataset["theme"] = theme;
    const [short, long] = WORDS[theme];
    setText(button.querySelector(".word")!, short);
    button.setAttribute("aria-label", long);
    changed();
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
    localStorage.setItem(KEY, theme);
    apply();
  });
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", changed);
  apply();
}
