// ---- everything together ----------------------------------------------------------------------------

/** How often a panel that is seen looks for a person's answer, once one was asked for. */
const LOOK_MS = 10_000;

class Widget {
  constructor(options) {
    this.options = options;
    this.handlers = new Map();
    this.started = false;
    this.last = Promise.resolve();
    this.host = document.createElement("kefu-widget");
    const shadow = this.host.attachShadow({ mode: "open" });
    this.root = h("div", { class: `root ${options.position} ${options.launcher ? "" : "bare"}`, dir: "ltr" });
    dress(shadow, this.root, options.base);
    // The page's keyboard shortcuts are not meant for what is typed here.
    for (const name of ["keydown", "keypress", "keyup"]) shadow.addEventListener(name, (event) => event.stopPropagation());
    this.api = new Api(options.base, () => this.store.get().token, () => this.t.language);
    this.store = new Store(options.storage, options.base);
    this.talk = new Conversation(this.store, this.api, () => pageLanguage(options) || this.t.language, this.listener());
    this.panel = new Panel(this.root, options, this.actions());
    this.t = words(interfaceLanguage(options));
    this.panel.build(this.t);
    this.attach();
    this.colour();
    this.watch();
    const reloaded = (performance.getEntriesByType("navigation")[0] || {}).type === "reload";
    const was = tab.get("open");
    const wide = !this.panel.full.matches;
    if (was === "yes" ? wide || reloaded : options.open && wide && was !== "no") this.open(false);
    else if (Object.keys(this.store.get().pending).length) this.start();
  }

  attach() {
    if (!this.host.isConnected) document.body.append(this.host);
  }

  colour() {
    const { theme, accent, x, y } = this.options;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const paint = () => (this.root.dataset.theme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme);
    dark.addEventListener("change", paint);
    paint();
    this.root.style.setProperty("--x", `${x}px`);
    this.root.style.setProperty("--y", `${y}px`);
    applyAccent(this.root, accent);
  }

  watch() {
    new MutationObserver(() => this.translate()).observe(document.documentElement, { attributeFilter: ["lang"] });
    document.addEventListener("visibilitychange", () => this.look());
    setInterval(() => this.store.get().person && this.look(), LOOK_MS);
  }

  /** Fetches what came meanwhile, where somebody looks. */
  look() {
    if (document.visibilityState === "visible" && this.panel.isOpen && this.talk.loaded && !this.talk.busy) this.talk.load();
  }

  translate() {
    const language = interfaceLanguage(this.options);
    if (language === this.t.language) return;
    this.t = words(language);
    this.panel.build(this.t);
    this.paint();
    if (this.started) this.configure();
  }

  listener() {
    return {
      changed: () => this.paint(),
      connection: (lost) => {
        this.panel.connection(lost);
        this.paint();
        if (lost) this.reconnect();
      },
      grew: (id, text) => this.panel.grew(id, text),
      sent: (text) => {
        this.panel.stick = true;
        this.panel.say("");
        this.emit("message", { text });
      },
      answered: (reply) => this.answered(reply),
      failed: (failure, key) => {
        const words = failure.say || this.t(key);
        this.panel.say(words);
        this.emit("error", { status: failure.status, text: words });
      },
    };
  }

  answered(reply) {
    const choices = (reply.buttons || []).map((button) => button.title).join(", ");
    this.panel.say([reply.text, choices].filter(Boolean).join(" "));
    if (!this.panel.isOpen) {
      this.panel.unread += 1;
      this.panel.badgeOf();
    }
    this.emit("answer", { ...reply, token: undefined, token_expires_at: undefined });
    if (reply.hand_over) this.emit("handover", {});
  }

  actions() {
    return {
      toggle: () => this.toggle(),
      close: () => this.close(),
      say: (text) => this.send(text).catch(() => {}),
      retry: (id) => this.talk.retry(id),
      rate: async (item, value, reason) => {
        await this.talk.rate(item, value, reason);
        this.emit("feedback", { message_id: item.id, value, reason });
      },
      person: () => this.panel.askPerson(async (reason) => {
        try {
          await this.talk.person(reason);
          this.panel.stick = true;
          this.panel.say(this.t("person_done"));
          this.panel.follow();
          this.emit("handover", {});
          return "";
        } catch (failure) {
          return failure.say || this.t("person_failed");
        }
      }),
      fresh: () => {
        this.talk.fresh();
        this.configure();
        return "";
      },
    };
  }

  paint() {
    this.panel.paint(this.talk.items(), this.talk.busy, this.talk.lost);
  }

  // ---- the server: nothing is asked of it before the panel is opened ------------------------------

  async start() {
    if (this.started) return;
    this.started = true;
    this.panel.reading = Boolean(this.store.get().token);
    this.paint();
    await Promise.all([this.configure(), this.talk.load()]);
    this.panel.reading = false;
    this.paint();
  }

  async configure() {
    const language = this.t.language;
    try {
      const page = pageLanguage(this.options) || language;
      let found = await this.api.get(`api/config?language=${encodeURIComponent(page)}`);
      if (page !== language && !(found.suggestions || []).length) found = await this.api.get(`api/config?language=${language}`);
      this.talk.connection(false);
      this.panel.company = clean(found.company || "");
      this.panel.limit = found.max_message_chars || 2000;
      const own = this.options.text("questions", language).split("|").map((one) => one.trim()).filter(Boolean);
      this.panel.questions = own.length ? own : found.suggestions || [];
      this.panel.state = found.ready === false ? "starting" : "ready";
    } catch (failure) {
      if (failure.status === 0 && await this.shutOut()) this.panel.state = "failed";
      else if (failure.status === 0) this.talk.connection(true);
      else this.panel.state = failure.status === 503 ? "starting" : "failed";
    }
    this.panel.name();
    this.paint();
    if (this.panel.state !== "ready") this.again(() => this.configure(), this.panel.state === "starting" ? 2000 : 10_000);
  }

  /** True where the server is there and only this site may not call it; tells the site's makers why. */
  async shutOut() {
    if (new URL(this.options.base).origin === location.origin) return false;
    try {
      const answer = await fetch(`${this.options.base}widget.css`, { cache: "no-store" }); // open to every site
      if (!answer.ok) return false;
    } catch {
      return false;
    }
    warn(`${this.options.base} does not let this site call it: add ${location.origin} to KEFU_CORS_ORIGINS`);
    return true;
  }

  /** Asks for a sign of life until there is one. */
  reconnect() {
    this.tries = (this.tries || 0) + 1;
    this.again(async () => {
      if (!this.talk.lost) return;
      await this.configure();
      if (this.talk.lost) this.reconnect();
      else if (!this.talk.busy) await this.talk.load();
      if (!this.talk.lost) this.tries = 0;
    }, PAUSES_MS[Math.min(this.tries - 1, PAUSES_MS.length - 1)]);
  }

  again(work, pause) {
    clearTimeout(this.timer);
    this.timer = setTimeout(work, pause);
  }

  // ---- what the page may call ---------------------------------------------------------------------

  open(focus = true) {
    if (!this.panel.isOpen) {
      this.attach();
      this.panel.show(true, focus);
      tab.set("open", "yes");
      this.start();
      this.emit("open", {});
    } else if (focus) this.panel.box.focus();
  }

  close() {
    if (!this.panel.isOpen) return;
    const inside = this.root.getRootNode().activeElement;
    this.panel.show(false);
    tab.set("open", "no");
    if (inside && this.options.launcher) this.panel.launcher.focus({ preventScroll: true });
    this.emit("close", {});
  }

  toggle() {
    if (this.panel.isOpen) this.close();
    else this.open();
  }

  /** Sends `text` as the visitor after what is being answered; gives the reply. */
  send(text) {
    const words = typeof text === "string" ? text.trim() : "";
    if (!words) return Promise.reject(new TypeError("Kefu.send expects a text that is not empty"));
    if ([...words].length > this.panel.limit) {
      return Promise.reject(new RangeError(`Kefu.send expects at most ${this.panel.limit} characters`));
    }
    this.open(false);
    const work = this.last.then(() => this.talk.send(words));
    this.last = work.catch(() => {});
    return work;
  }

  /** Calls `handler(detail)` at each `event`; gives a function that ends it. */
  on(event, handler) {
    if (typeof handler !== "function") throw new TypeError("Kefu.on expects a function");
    if (!this.handlers.has(event)) this.handlers.set(event, new Set());
    this.handlers.get(event).add(handler);
    return () => this.handlers.get(event).delete(handler);
  }

  emit(event, detail) {
    for (const handler of this.handlers.get(event) || []) {
      try {
        handler(detail);
      } catch (error) {
        setTimeout(() => { throw error; }); // the page's own fault is reported as the page's
      }
    }
  }
}

/** Gives the shadow root its style in a way that a strict content security policy allows. */
function dress(shadow, root, base) {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(root);
  } catch { // browsers before 2023: a style sheet from the server, which `style-src` must allow
    const sheet = h("link", { rel: "stylesheet", href: `${base}widget.css` });
    root.hidden = true;
    sheet.addEventListener("load", () => (root.hidden = false));
    shadow.append(sheet, root);
  }
}

/** `t(key, fields)` in one language of the interface. */
function words(language) {
  const t = (key, fields = {}) =>
    TEXTS[key][LANGUAGES.indexOf(language)].replace(/\{(\w+)\}/g, (whole, name) => (name in fields ? fields[name] : whole));
  t.language = language;
  return t;
}

const tag = document.currentScript || document.querySelector('script[src*="widget.js"]');
const options = readOptions(tag);
const waiting = [];
let widget = null;

const call = (name) => (...values) => (widget ? widget[name](...values) : waiting.push([name, values]));
const later = (name) => (...values) =>
  widget ? widget[name](...values) : new Promise((resolve) => waiting.push(["then", [resolve]])).then(() => widget[name](...values));

window.Kefu = Object.freeze({
  version: VERSION,
  open: call("open"),
  close: call("close"),
  toggle: call("toggle"),
  send: later("send"),
  on: (event, handler) => {
    if (widget) return widget.on(event, handler);
    let end = null;
    waiting.push(["then", [() => (end = widget.on(event, handler))]]);
    return () => end && end();
  },
});

function begin() {
  widget = new Widget(options);
  for (const [name, values] of waiting.splice(0)) {
    if (name === "then") values[0]();
    else widget[name](...values);
  }
  document.addEventListener("kefu:attach", () => widget.attach());
  widget.emit("ready", {});
  document.dispatchEvent(new CustomEvent("kefu:ready"));
}

if (document.body) begin();
else document.addEventListener("DOMContentLoaded", begin, { once: true });
