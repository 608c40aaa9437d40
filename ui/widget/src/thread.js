// ---- the items of a conversation as elements -------------------------------------------------------

const REASONS = ["why_off", "why_wrong", "why_unclear", "why_incomplete"];

/**
 * Draws items and redraws only those that changed, so that focus, open sources and what is being
 * typed stay.  `act` has say(text), person(), rate(item, value, reason), retry(id).
 */
class Thread {
  constructor(list, t, options, act) {
    Object.assign(this, { list, t, options, act });
    this.drawn = new Map();
  }

  clear() {
    this.drawn.clear();
    this.list.replaceChildren();
  }

  draw(items) {
    const last = items.filter((item) => !["person", "note", "welcome"].includes(item.role)).pop();
    const keys = new Set(items.map((item) => item.key));
    for (const [key, entry] of this.drawn) {
      if (keys.has(key)) continue;
      entry.node.remove();
      this.drawn.delete(key);
    }
    let previous = null;
    for (const item of items) {
      const mark = JSON.stringify({ ...item, feedback: null, last: item === last });
      let entry = this.drawn.get(item.key);
      if (!entry || entry.mark !== mark) {
        const node = this.element(item, item === last);
        node.dataset.key = item.key;
        if (entry) entry.node.replaceWith(node);
        entry = { node, mark };
        this.drawn.set(item.key, entry);
      }
      const place = previous ? previous.nextSibling : this.list.firstChild;
      if (place !== entry.node) this.list.insertBefore(entry.node, place);
      previous = entry.node;
    }
  }

  /** The text of an answer in the making. */
  grow(id, text) {
    const entry = this.drawn.get(`${id}…`);
    if (!entry) return;
    let bubble = entry.node.querySelector(".growing");
    if (!bubble) {
      bubble = h("div", { class: "bubble growing", dir: "auto" });
      entry.node.replaceChildren(bubble);
    }
    bubble.textContent = clean(text);
  }

  element(item, last) {
    const draw = { user: this.mine, typing: this.typing, failed: this.failed, person: this.awaited, note: this.told, welcome: this.welcome };
    return (draw[item.role] || this.answer).call(this, item, last);
  }

  mine(item) {
    return h("article", { class: "msg mine" }, h("span", { class: "sr" }, `${this.t("you")}: `),
      h("div", { class: "bubble", dir: "auto" }, prose(item.text)), h("div", { class: "foot" }, this.time(item.at)));
  }

  typing(item) {
    if (item.state === "busy") return this.line("alert", "", this.t("busy_wait", { seconds: item.left }));
    const dots = h("div", { class: "bubble dots" }, h("span", { class: "sr" }, this.t("typing")), h("i"), h("i"), h("i"));
    const text = h("div", { class: "bubble growing", dir: "auto" }, clean(item.text));
    return h("article", { class: "msg", "aria-busy": "true" }, item.text ? text : dots);
  }

  failed(item) {
    return this.line("alert", "bad", item.say || this.t("error"), this.t("retry"), () => this.act.retry(item.id));
  }

  awaited() {
    return this.line("check", "good", this.t("person_done"));
  }

  told(item) {
    return this.line("alert", "", this.t(item.text));
  }

  line(sign, kind, words, label = "", onclick = null) {
    const button = label && h("button", { type: "button", onclick }, label);
    return h("div", { class: `note ${kind}` }, icon(sign), h("span", {}, clean(words)), button || null);
  }

  time(at) {
    if (!Number.isFinite(at)) return null;
    const moment = new Date(at);
    const clock = { hour: "numeric", minute: "2-digit" };
    const today = moment.toDateString() === new Date().toDateString();
    const words = moment.toLocaleString(this.t.language, today ? clock : { month: "short", day: "numeric", ...clock });
    return h("time", { datetime: moment.toISOString() }, words);
  }

  answer(item, last) {
    const agent = item.role === "agent";
    const notice = ["busy", "error"].includes(item.notice) && h("p", { class: "notice" }, this.t(`notice_${item.notice}`));
    const why = !agent && this.options.feedback ? this.why(item) : null;
    return h("article", { class: agent ? "msg agent" : "msg" },
      h("span", { class: agent ? "by" : "sr" }, agent ? this.t("agent") : `${this.t("role")}: `),
      notice || null,
      item.text ? h("div", { class: "bubble", dir: "auto", lang: item.language || null }, prose(item.text)) : null,
      this.pictures(item),
      this.sources(item),
      last ? this.chips(item) : null,
      h("div", { class: "foot" }, this.time(item.at), why ? this.rating(item, why) : null),
      why);
  }

  pictures(item) {
    const files = (item.attachments || []).map((file) => ({ type: file.type, ...(file.payload || file) }));
    const all = [...(item.images || []).map((src) => ({ type: "image", src })), ...files];
    return all.map((file) => {
      const address = safeLink(file.src || file.url || "");
      if (!address || address.startsWith("mailto:")) return null;
      const named = link(address, clean(file.title || file.alt || address));
      if (file.type !== "image") return h("div", { class: "bubble" }, named);
      const image = h("img", { src: address, alt: clean(file.alt || file.title || this.t("image")), loading: "lazy" });
      const box = h("div", { class: "bubble picture" }, image);
      image.addEventListener("error", () => box.replaceChildren(named)); // gone, or the page's CSP forbids it
      return box;
    });
  }

  sources(item) {
    if (!this.options.sources || !(item.sources || []).length) return null;
    const listed = item.sources.map((source) => h("li", { lang: source.language || null },
      h("b", { dir: "auto" }, prose(source.question)), h("p", { dir: "auto" }, prose(source.answer))));
    const count = listed.length > 1 ? ` · ${listed.length}` : "";
    const details = h("details", {}, h("summary", {}, icon("book"), `${this.t("sources")}${count}`, icon("chevron")),
      h("ol", { class: "sources" }, listed));
    details.addEventListener("toggle", () => details.open && details.scrollIntoView({ block: "nearest" }));
    return details;
  }

  chips(item) {
    const chips = (item.buttons || []).map((button) =>
      h("button", { type: "button", dir: "auto", onclick: () => this.act.say(button.payload || button.title) }, clean(button.title)));
    if (this.options.person && ["decline", "hand_over"].includes(item.action)) {
      chips.push(h("button", { type: "button", onclick: () => this.act.person() }, icon("person"), this.t("person")));
    }
    return chips.length ? h("div", { class: "chips" }, chips) : null;
  }

  rating(item, why) {
    const thanks = h("span", { class: "thanks", role: "status" });
    const choices = ["like", "dislike"].map((value) => {
      const label = this.t(value === "like" ? "helpful" : "unhelpful");
      const pressed = String(item.feedback === value);
      return h("button", { type: "button", "data-value": value, "aria-pressed": pressed, "aria-label": label, title: label,
        onclick: () => choose(value) }, icon(value));
    });
    const paint = () => choices.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.value === item.feedback)));
    const give = async (value, reason) => {
      const before = item.feedback;
      item.feedback = value;
      paint();
      thanks.textContent = "";
      thanks.classList.remove("bad");
      try {
        await this.act.rate(item, value, reason);
        if (value === "like" || why.hidden) thanks.textContent = this.t("thanks");
      } catch {
        item.feedback = before;
        paint();
        thanks.textContent = this.t("rate_failed");
        thanks.classList.add("bad");
      }
    };
    const choose = (value) => {
      why.hidden = value !== "dislike";
      if (!why.hidden) why.scrollIntoView({ block: "nearest" });
      give(value, "");
    };
    why.addEventListener("submit", (event) => {
      event.preventDefault();
      const chosen = [...why.querySelectorAll("[aria-pressed=true]")].map((one) => one.dataset.value);
      why.hidden = true;
      choices[1].focus();
      give("dislike", [...chosen, why.querySelector("input").value.trim()].filter(Boolean).join("; "));
    });
    return [h("span", { class: "rate", role: "group", "aria-label": this.t("rate") }, choices), thanks];
  }

  why(item) {
    if (!item.id) return null;
    const reasons = REASONS.map((key) => {
      const toggle = (event) => {
        const button = event.currentTarget;
        button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      };
      return h("button", { type: "button", "data-value": key.slice(4), "aria-pressed": "false", onclick: toggle }, this.t(key));
    });
    const more = this.t("why_more");
    return h("form", { class: "why", hidden: true, "aria-label": this.t("why") }, h("p", {}, this.t("why")),
      h("div", { class: "reasons" }, reasons),
      h("div", { class: "row" }, h("input", { type: "text", maxlength: 500, placeholder: more, "aria-label": more, autocomplete: "off" }),
        h("button", { type: "submit", class: "primary" }, this.t("submit"))));
  }

  /** What stands in an empty conversation: a greeting, and first questions to pick from. */
  welcome(item) {
    const { t, options } = this;
    const greeting = options.text("greeting", t.language) || t("hello");
    const intro = options.text("intro", t.language) || t(item.company ? "intro" : "intro_plain", { company: item.company });
    const questions = item.questions.map((question) => h("li", {},
      h("button", { type: "button", onclick: () => this.act.say(question) }, h("span", { dir: "auto" }, clean(question)), icon("chevron"))));
    return h("section", { class: "welcome" }, h("h3", {}, clean(greeting)), h("p", {}, clean(intro)),
      questions.length ? [h("p", { class: "label" }, t("starters")), h("ul", { "aria-label": t("starters") }, questions)] : null);
  }
}
