// ---- what the script tag asks for -----------------------------------------------------------------

/** The options of the script tag, each checked; what cannot be used counts as left out. */
function readOptions(tag) {
  const data = tag ? tag.dataset : {};
  const oneOf = (name, ...choices) => {
    const value = (data[name] || "").trim().toLowerCase();
    if (value && !choices.includes(value)) warn(`data-${name}="${value}" is not one of ${choices.join(", ")}`);
    return choices.includes(value) ? value : choices[0];
  };
  const pixels = (name, usual) => {
    const value = Number.parseFloat(data[name]);
    return value >= 0 && value <= 1000 ? value : usual;
  };
  return {
    base: new URL(data.host ? data.host.replace(/\/*$/, "/") : ".", (tag && tag.src) || location.href).href,
    language: (data.language || "auto").trim(),
    theme: oneOf("theme", "auto", "light", "dark"),
    position: oneOf("position", "right", "left"),
    open: oneOf("open", "false", "true") === "true",
    launcher: oneOf("launcher", "true", "false") === "true",
    person: oneOf("person", "true", "false") === "true",
    sources: oneOf("sources", "true", "false") === "true",
    feedback: oneOf("feedback", "true", "false") === "true",
    storage: oneOf("storage", "local", "session", "none"),
    accent: data.accent || "",
    x: pixels("offsetX", 20),
    y: pixels("offsetY", 20),
    privacy: safeLink(data.privacy || "") || "",
    /** A text of the tag in the interface's language: `data-title-zh` goes before `data-title`. */
    text: (name, language) => data[name + language.charAt(0).toUpperCase() + language.slice(1)] || data[name] || "",
  };
}

function warn(words) {
  console.warn(`Kefu: ${words}`);
}

/** The page's language as a primary subtag ("zh" of "zh-Hans-CN"), "" where it says none. */
function pageLanguage(options) {
  const asked = options.language.toLowerCase() === "auto" ? document.documentElement.lang : options.language;
  const primary = (asked || "").trim().toLowerCase().split(/[-_]/)[0];
  return /^[a-z]{2,3}$/.test(primary) ? primary : "";
}

/** The language of the interface: the tag's, the page's, the browser's, else English. */
function interfaceLanguage(options) {
  const wanted = [pageLanguage(options), ...(navigator.languages || [navigator.language])];
  for (const language of wanted) {
    const primary = (language || "").toLowerCase().split("-")[0];
    if (LANGUAGES.includes(primary)) return primary;
  }
  return "en";
}

// ---- accent colour: any is taken, and texts on it and in it stay readable (WCAG 2, 4.5 : 1) ---------

function luminance(rgb) {
  const [r, g, b] = rgb.map((part) => {
    const c = part / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

/** `rgb` moved towards black or white until it can be read on `ground`. */
function readable(rgb, ground) {
  const goal = luminance(ground) > 0.5 ? 0 : 255;
  let colour = rgb;
  for (let step = 0; step < 40 && contrast(colour, ground) < 6; step += 1) {
    colour = colour.map((part) => Math.round(part + (goal - part) * 0.08));
  }
  return colour;
}

function applyAccent(root, accent) {
  if (!accent) return;
  const probe = document.createElement("i");
  probe.style.color = accent;
  root.append(probe);
  const found = probe.style.color && /^rgba?\((\d+),\s*(\d+),\s*(\d+)/.exec(getComputedStyle(probe).color);
  probe.remove();
  if (!found) {
    warn(`data-accent="${accent}" is not a colour such as #0a7d5a`);
    return;
  }
  const rgb = found.slice(1, 4).map(Number);
  const css = (colour) => `rgb(${colour.join(" ")})`;
  root.style.setProperty("--own-accent", css(rgb));
  root.style.setProperty("--own-on-accent", contrast(rgb, [255, 255, 255]) >= 4.5 ? "#fff" : "#000");
  root.style.setProperty("--own-deep-light", css(readable(rgb, [241, 244, 248])));
  root.style.setProperty("--own-deep-dark", css(readable(rgb, [32, 41, 53])));
  root.style.setProperty("--own-tint", `rgb(${rgb.join(" ")} / 12%)`);
}
