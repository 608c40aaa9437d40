// ---- the button and the panel ----------------------------------------------------------------------

const FULL = "(max-width: 520px), (max-height: 440px)";
const FOCUSABLE = "button, [href], input, textarea, summary, [tabindex='0']";

/** Everything that is seen.  Built anew when the page's language changes. */
class Panel {
  constructor(root, options, act) {
    Object.assign(this, { root, options, act });
    this.full = matchMedia(FULL);
    this.isOpen = false;
    this.stick = true;
    this.unread = 0;
    this.company = "";
    this.questions = [];
    this.limit = 2000;
    this.state = "loading";
    this.full.addEventListener("change", () => this.fit());
    if (window.visualViewport) {
      for (const name of ["resize", "scroll"]) visualViewport.addEventListener(name, () => this.fit());
    }
  }

  build(t) {
    const draft = this.box ? this.box.value : tab.get("draft");
    this.t = t;
    this.root.lang = t.language;
    this.launcher = this.buildLauncher();
    this.panel = this.buildPanel();
    this.thread = new Thread(this.list, t, this.options, this.act);
    this.root.replaceChildren(...(this.options.launcher ? [this.launcher, this.panel] : [this.panel]));
    this.box.value = draft;
    this.name();
    this.show(this.isOpen);
    this.sized();
  }

  buildLauncher() {
    const label = this.options.text("label", this.t.language);
    this.badge = h("span", { class: "badge", hidden: true });
    this.face = h("span", { hidden: !label }, label);
    return h("button", { type: "button", class: "launch", "aria-haspopup": "dialog", "aria-expanded": "false", onclick: () => this.act.toggle() },
      icon("chat"), this.face, this.badge);
  }

  buildPanel() {
    const { t } = this;
    const tool = (name, sign, label, onclick) =>
      h("button", { type: "button", class: `tool ${name}`, title: label, "aria-label": label, onclick }, icon(sign));
    this.avatar = h("span", { class: "avatar", "aria-hidden": "true" });
    this.heading = h("h2", { id: "name" });
    this.status = h("p", { class: "status" }, h("span"));
    this.banner = h("div", { class: "banner", role: "status", hidden: true });
    this.live = h("div", { class: "sr", role: "status", "aria-live": "polite", "aria-atomic": "true" });
    this.list = h("div", { class: "list" });
    this.scroller = h("div", { class: "thread", role: "log", "aria-live": "off", "aria-label": t("thread"), tabindex: "0" }, this.list);
    this.jump = h("button", { type: "button", class: "jump", hidden: true, title: t("jump"), "aria-label": t("jump"), onclick: () => this.down() }, icon("down"));
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.inside = h("div", { class: "middle" }, this.scroller, this.jump);
    this.parts = [
      h("header", { class: "head" }, this.avatar, h("div", { class: "who" }, this.heading, this.status), h("div", { class: "tools" },
        this.options.person ? tool("ask", "person", t("person"), () => this.act.person()) : null,
        tool("fresh", "fresh", t("new"), () => this.askFresh()),
        tool("close", this.full.matches ? "close" : "down", t("close"), () => this.act.close()))),
      this.banner, this.inside, this.buildComposer(), this.hint,
    ];
    return h("section", { class: "panel", role: "dialog", "aria-labelledby": "name", hidden: true, onkeydown: (event) => this.key(event) },
      this.parts, this.live);
  }

  buildComposer() {
    const { t } = this;
    this.box = h("textarea", { rows: 1, placeholder: t("placeholder"), "aria-label": t("placeholder"), enterkeyhint: "send", autocomplete: "off",
      oninput: () => this.sized(), onkeydown: (event) => this.enter(event) });
    this.button = h("button", { type: "submit", class: "send", "aria-label": t("send"), title: t("send") }, icon("send"));
    this.count = h("span", { class: "bad", role: "status" });
    const privacy = this.options.privacy && link(this.options.privacy, t("privacy"));
    this.hint = h("p", { class: "hint" }, h("span", {}, t("hint_short"), privacy ? [" · ", privacy] : null), this.count);
    this.form = h("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); this.submit(); } }, this.box, this.button);
    return this.form;
  }

  // ---- opening and closing --------------------------------------------------------------------

  show(open, focus = false) {
    this.isOpen = open;
    this.panel.hidden = !open;
    this.root.classList.toggle("open", open);
    this.launcher.setAttribute("aria-expanded", String(open));
    this.launcher.firstChild.replaceWith(icon(open ? "down" : "chat"));
    if (open) this.unread = 0;
    this.badgeOf();
    this.fit();
    if (!open) return this.cover(null);
    this.follow();
    if (focus) (this.full.matches ? this.panel.querySelector(".close") : this.box).focus({ preventScroll: true });
  }

  /** On a phone the panel is the screen: sized to what the keyboard leaves, the page behind stands still. */
  fit() {
    const full = this.full.matches;
    this.root.classList.toggle("full", full);
    if (this.panel) {
      if (full) this.panel.setAttribute("aria-modal", "true");
      else this.panel.removeAttribute("aria-modal");
    }
    const still = full && this.isOpen;
    if (still !== Boolean(this.held)) {
      const page = document.documentElement.style;
      if (still) this.held = { overflow: page.overflow };
      page.overflow = still ? "hidden" : this.held.overflow;
      if (!still) this.held = null;
    }
    const view = window.visualViewport;
    if (still && view && Math.abs(view.scale - 1) < 0.01) {
      this.root.style.setProperty("--height", `${view.height}px`);
      this.root.style.setProperty("--top", `${view.offsetTop}px`);
    } else if (!still) {
      this.root.style.removeProperty("--height");
      this.root.style.removeProperty("--top");
    }
    if (this.isOpen) this.follow();
  }

  badgeOf() {
    const open = this.t(this.isOpen ? "close" : "open");
    const label = this.options.text("label", this.t.language);
    this.badge.hidden = !this.unread;
    this.badge.textContent = this.unread > 9 ? "9+" : String(this.unread);
    const words = label && !this.isOpen ? label : open;
    this.launcher.setAttribute("aria-label", this.unread ? `${words} (${this.t("unread", { count: this.unread })})` : words);
    this.face.hidden = !label || this.isOpen;
  }

  key(event) {
    if (event.key === "Escape" && !event.isComposing) {
      event.preventDefault();
      if (this.sheet) this.cover(null);
      else this.act.close();
    } else if (event.key === "Tab") this.trap(event);
  }

  /** Keeps Tab inside; Esc leaves. */
  trap(event) {
    const place = this.sheet || this.panel;
    const all = [...place.querySelectorAll(FOCUSABLE)].filter((one) => one.getClientRects().length && !one.disabled);
    const here = this.root.getRootNode().activeElement;
    const [first, last] = [all[0], all[all.length - 1]];
    if (event.shiftKey ? here === first || !place.contains(here) : here === last || !place.contains(here)) {
      event.preventDefault();
      (event.shiftKey ? last : first).focus();
    }
  }

  // ---- writing --------------------------------------------------------------------------------

  enter(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.submit();
  }

  submit() {
    const text = this.box.value.trim();
    if (!text || this.blocked()) return;
    this.box.value = "";
    this.sized();
    this.act.say(text);
    this.box.focus({ preventScroll: true });
  }

  blocked() {
    return this.working || [...this.box.value.trim()].length > this.limit;
  }

  sized() {
    const text = this.box.value.trim();
    const length = [...text].length;
    const over = length > this.limit;
    tab.set("draft", this.box.value.slice(0, 20_000));
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(Math.max(this.box.scrollHeight, 36), 126)}px`;
    this.form.classList.toggle("over", over);
    this.count.textContent = length > this.limit * 0.9 ? `${length} / ${this.limit}` : "";
    this.button.setAttribute("aria-disabled", String(!text || this.blocked()));
  }

  // ---- showing --------------------------------------------------------------------------------

  name() {
    const title = this.options.text("title", this.t.language) || this.company || this.t("name");
    this.heading.textContent = clean(title);
    this.avatar.textContent = ([...clean(title)].find((letter) => /[\p{L}\p{N}]/u.test(letter)) || "K").toUpperCase();
  }

  paint(items, working, lost) {
    this.working = working;
    const state = lost ? "offline" : this.state !== "ready" ? this.state : working ? "answering" : "ready";
    this.status.dataset.state = state;
    this.status.firstChild.textContent = `${this.t(`status_${state}`)} · ${this.t("role")}`;
    const shown = items.length || this.reading ? [...items] : [{ key: "welcome", role: "welcome", company: this.company, questions: this.questions }];
    if (["starting", "failed"].includes(this.state) && !lost) shown.push({ key: "state", role: "note", text: this.state });
    this.thread.draw(shown);
    this.list.classList.toggle("empty", !items.length);
    this.sized();
    this.follow();
  }

  grew(id, text) {
    this.thread.grow(id, text);
    this.follow();
  }

  /** Puts the newest into view, unless the visitor has scrolled up to read. */
  follow() {
    if (this.stick && this.isOpen) this.scroller.scrollTop = this.list.classList.contains("empty") ? 0 : this.scroller.scrollHeight;
  }

  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.stick = scrollHeight - scrollTop - clientHeight < 60;
    this.jump.hidden = this.stick || this.list.classList.contains("empty");
  }

  down() {
    this.stick = true;
    this.follow();
    this.box.focus({ preventScroll: true });
  }

  say(words) {
    this.live.textContent = clean(words);
  }

  connection(lost) {
    clearTimeout(this.fading);
    this.banner.textContent = this.t(lost ? "offline" : "online");
    this.banner.classList.toggle("good", !lost);
    this.banner.hidden = false;
    if (!lost) this.fading = setTimeout(() => (this.banner.hidden = true), 2500);
  }

  // ---- questions to the visitor -----------------------------------------------------------------

  /** Puts a question over the thread, or takes it away with null. */
  cover(sheet) {
    if (this.veil) this.veil.remove();
    const before = this.before;
    this.veil = this.sheet = null;
    for (const part of this.parts) part.inert = Boolean(sheet);
    if (!sheet) {
      this.before = null;
      if (before && before.isConnected) before.focus();
      return;
    }
    this.before = this.root.getRootNode().activeElement;
    this.sheet = sheet;
    this.veil = h("div", { class: "veil", onclick: (event) => event.target === this.veil && this.cover(null) }, sheet);
    this.panel.append(this.veil);
    sheet.querySelector("textarea, .primary").focus();
  }

  question(title, words, field, action, work) {
    const failed = h("p", { class: "sr", role: "alert" });
    const submit = async (event) => {
      event.preventDefault();
      const problem = await work(field ? field.value.trim() : "");
      failed.className = problem ? "notice" : "sr";
      failed.textContent = problem || "";
      if (!problem) this.cover(null);
    };
    return h("div", { class: "sheet", role: "dialog", "aria-modal": "true", "aria-labelledby": "ask", "aria-describedby": "ask-more" }, h("form", { onsubmit: submit },
      h("h2", { id: "ask" }, title), h("p", { id: "ask-more" }, words),
      field ? [h("label", { for: "field" }, this.t("person_note")), field] : null, failed,
      h("menu", { role: "presentation" }, h("button", { type: "button", class: "plain", onclick: () => this.cover(null) }, this.t("cancel")),
        h("button", { type: "submit", class: "primary" }, action))));
  }

  askPerson(work) {
    const field = h("textarea", { id: "field", maxlength: 500 });
    this.cover(this.question(this.t("person_title"), this.t("person_text"), field, this.t("person_send"), work));
  }

  askFresh() {
    if (this.list.classList.contains("empty")) {
      this.box.focus();
      return;
    }
    this.cover(this.question(this.t("new"), this.t("new_confirm"), null, this.t("new"), () => this.act.fresh()));
  }
}
