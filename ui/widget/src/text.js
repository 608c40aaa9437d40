// ---- elements and texts; no text ever becomes markup ------------------------------------------------

/** An element with properties (`class`, `on…`, `aria-…`, any attribute) and children. */
function h(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const ICONS = {
  chat: ["M20 12a8 8 0 0 1-8 8H4l1.9-2.9A8 8 0 1 1 20 12z", "M8.5 12h.01M12 12h.01M15.5 12h.01"],
  close: ["M6 6l12 12M18 6 6 18"],
  down: ["M6 9l6 6 6-6"],
  send: ["M12 19V5.5M6 11.5l6-6 6 6"],
  person: ["M4 13v-1a8 8 0 0 1 16 0v1", "M4.5 13H7v6H4.5a2 2 0 0 1-2-2v-2a2 2 0 0 1 2-2z", "M19.5 13H17v6h2.5a2 2 0 0 0 2-2v-2a2 2 0 0 0-2-2z", "M19.5 19c0 2-2 2.5-5 2.5"],
  fresh: ["M12 4H7a3 3 0 0 0-3 3v10a3 3 0 0 0 3 3h10a3 3 0 0 0 3-3v-5", "M18.4 3.6a1.7 1.7 0 0 1 2.4 2.4L13 13.8l-3.2.8.8-3.2z"],
  like: ["M7 10.5v9H4.5a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1zM7 10.5 11 3.2a2.2 2.2 0 0 1 2.6 2.6L12.9 9h5.6a2 2 0 0 1 2 2.4l-1.2 6.4a2 2 0 0 1-2 1.7H7"],
  dislike: ["M17 13.5v-9h2.5a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1zM17 13.5 13 20.8a2.2 2.2 0 0 1-2.6-2.6l.7-3.2H5.5a2 2 0 0 1-2-2.4l1.2-6.4a2 2 0 0 1 2-1.7H17"],
  book: ["M5 4.5h5a2 2 0 0 1 2 2V20a2 2 0 0 0-2-1.5H5a1 1 0 0 1-1-1v-12a1 1 0 0 1 1-1z", "M19 4.5h-5a2 2 0 0 0-2 2V20a2 2 0 0 1 2-1.5h5a1 1 0 0 0 1-1v-12a1 1 0 0 0-1-1z"],
  chevron: ["m9 6 6 6-6 6"],
  alert: ["M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0", "M12 7.5v5.5M12 16.4v.1"],
  check: ["M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0", "m8 12.4 2.7 2.7L16 9.6"],
};

function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const d of ICONS[name]) {
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** The address as a whole one if a click on it is safe: http, https or mailto; else null. */
function safeLink(address) {
  try {
    const url = new URL(address);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function link(address, words) {
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, words);
}

/** Control characters, and the bidi ones that could make a text read as another. */
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const ADDRESS = /https?:\/\/[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]+|[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}/gi;

function clean(text) {
  return String(text ?? "").replace(/\r\n?/g, "\n").replace(HIDDEN, "");
}

/** A text of people or entries as nodes: as it is, addresses clickable. */
function prose(text) {
  const whole = clean(text);
  const nodes = [];
  let place = 0;
  for (const match of whole.matchAll(ADDRESS)) {
    let address = match[0].replace(/[.,:;!?'*]+$/, "");
    while (address.endsWith(")") && address.split(")").length > address.split("(").length) address = address.slice(0, -1);
    const target = safeLink(address.includes("://") ? address : `mailto:${address}`);
    if (!target || match.index < place) continue;
    nodes.push(whole.slice(place, match.index), link(target, address));
    place = match.index + address.length;
  }
  nodes.push(whole.slice(place));
  return nodes;
}
