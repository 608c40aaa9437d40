// Behaviour of the chat page in the browser: draws the thread piece by piece, keeps it
// scrolled, and sends what is clicked as events of the page.  HTML comes escaped from render.py.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const state = { header: null, thread: null, name: "starting", limit: 2000, stick: true, offline: false };

  const act = (name, data = {}) => {
    if (state.thread) state.thread.trigger(name, data);
  };

  // ---- thread: items are redrawn only when their own HTML has changed -------------------------
  const drawn = new Map();

  function draw(list, items) {
    const keys = new Set(items.map((item) => item.key));
    for (const [key, entry] of drawn) {
      if (!keys.has(key)) {
        entry.node.remove();
        drawn.delete(key);
      }
    }
    let previous = null;
    for (const item of items) {
      let entry = drawn.get(item.key);
      if (!entry || entry.html !== item.html) {
        const holder = document.createElement("template");
        holder.innerHTML = item.html;
        const node = holder.content.firstElementChild;
        const text = entry && $(".kf-growing", entry.node);
        const grown = $(".kf-growing", node);
        if (text && grown) {
          text.innerHTML = grown.innerHTML;
          entry.html = item.html;
        } else {
          if (entry) entry.node.replaceWith(node);
          entry = { node, html: item.html };
          drawn.set(item.key, entry);
          dates(node);
        }
      }
      const place = previous ? previous.nextSibling : list.firstChild;
      if (place !== entry.node) list.insertBefore(entry.node, place);
      previous = entry.node;
    }
  }

  function dates(root) {
    for (const time of root.querySelectorAll("time")) {
      const moment = new Date(time.dateTime);
      const today = moment.toDateString() === new Date().toDateString();
      const language = document.documentElement.lang || undefined;
      const clock = { hour: "numeric", minute: "2-digit" };
      time.textContent = moment.toLocaleString(language, today ? clock : { month: "short", day: "numeric", ...clock });
      time.title = moment.toLocaleString(language);
    }
  }

  function show(value) {
    if (!value || !value.items) return;
    const { element } = state.thread;
    const list = $(".kf-list", element);
    const before = state.name;
    const mine = value.state === "answering" && before !== "answering";
    if (document.documentElement.lang !== value.language) {
      document.documentElement.lang = value.language;
      for (const entry of drawn.values()) dates(entry.node);
    }
    document.title = value.title;
    list.setAttribute("aria-label", value.thread);
    list.setAttribute("aria-busy", String(value.state === "answering"));
    $(".kf-jump", element).title = value.jump;
    document.body.dataset.kf = state.name = value.state;
    state.limit = value.limit;
    draw(list, value.items);
    hint(value);
    if (mine) state.stick = true;
    follow();
    if (before === "answering" && value.state !== "answering") focus();
    count();
    const boot = document.getElementById("kf-boot");
    if (boot) boot.remove();
  }

  function hint(value) {
    let line = document.getElementById("kf-hint");
    const composer = document.getElementById("kf-composer");
    if (!line && composer) {
      line = document.createElement("p");
      line.id = "kf-hint";
      line.innerHTML = '<span class="kf-long"></span><span class="kf-short"></span><output class="kf-count"></output>';
      composer.after(line);
    }
    if (line) {
      $(".kf-long", line).textContent = value.hint;
      $(".kf-short", line).textContent = value.hint_short;
    }
  }

  function scroller() {
    return $(".kf-scroll", state.thread.element);
  }

  function follow() {
    const box = scroller();
    if (state.stick) box.scrollTop = drawn.has("welcome") && drawn.size === 1 ? 0 : box.scrollHeight;
    $(".kf-jump", state.thread.element).hidden = state.stick;
  }

  // ---- input box ------------------------------------------------------------------------------
  const box = () => $("#kf-box textarea");

  function focus() {
    if (matchMedia("(hover: hover)").matches) setTimeout(() => box() && box().focus(), 60);
  }

  function count() {
    const output = $(".kf-count");
    if (!output || !box()) return;
    const length = box().value.trim().length;
    const over = length > state.limit;
    output.textContent = length > state.limit * 0.8 ? `${length.toLocaleString()} / ${state.limit.toLocaleString()}` : "";
    document.body.classList.toggle("kf-over", over);
    document.body.classList.toggle("kf-empty", length === 0);
  }

  // ---- clicks ---------------------------------------------------------------------------------
  const deeds = {
    pick: (button) => state.name === "ready" && act("pick", { text: button.dataset.text }),
    like: (button) => rate(button, "like"),
    dislike: (button) => rate(button, "dislike"),
    why: (button) => {
      const pressed = button.getAttribute("aria-pressed") === "true";
      button.setAttribute("aria-pressed", String(!pressed));
    },
    "ask-person": () => $('[data-dialog="person"]').showModal(),
    "ask-fresh": () => (drawn.has("welcome") ? focus() : $('[data-dialog="fresh"]').showModal()),
    close: (button) => button.closest("dialog").close(),
    person: (button) => {
      const note = $("textarea", button.closest("dialog"));
      act("person", { note: note.value });
      note.value = "";
      button.closest("dialog").close();
      state.stick = true;
    },
    fresh: (button) => {
      button.closest("dialog").close();
      act("fresh");
    },
    language: (button) => act("language", { language: button.dataset.value }),
    jump: () => {
      state.stick = true;
      follow();
    },
  };

  function rate(button, value) {
    const message = button.closest(".kf-msg");
    for (const other of message.querySelectorAll(".kf-rate button")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    $(".kf-thanks", message).hidden = value !== "like";
    const why = $(".kf-why", message);
    why.hidden = value !== "dislike";
    if (!why.hidden) why.scrollIntoView({ block: "nearest" });
    act("rate", { id: button.dataset.id, value, reason: "" });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("[data-do]");
    if (button && deeds[button.dataset.do]) deeds[button.dataset.do](button);
    else if (event.target.tagName === "DIALOG") event.target.close();
  });

  document.addEventListener("submit", (event) => {
    const form = event.target.closest(".kf-why");
    if (!form) return;
    event.preventDefault();
    const chosen = [...form.querySelectorAll('[data-do="why"][aria-pressed="true"]')].map((b) => b.dataset.value);
    const words = $("input", form).value.trim();
    act("rate", { id: form.dataset.id, value: "dislike", reason: [...chosen, words].filter(Boolean).join("; ") });
    form.hidden = true;
    $(".kf-thanks", form.closest(".kf-msg")).hidden = false;
  });

  // Opened sources are brought into view.
  document.addEventListener(
    "toggle",
    (event) => {
      if (event.target.open && event.target.classList.contains("kf-sources")) {
        event.target.scrollIntoView({ block: "nearest", behavior: "smooth" });
      }
    },
    true,
  );

  document.addEventListener("input", (event) => {
    if (event.target === box()) count();
  });

  // Enter in an over-long message would lose nothing, but says nothing either: stop it here.
  document.addEventListener(
    "keypress",
    (event) => {
      if (event.target !== box() || event.key !== "Enter" || event.shiftKey) return;
      if (event.isComposing || box().value.trim() === "" || state.name !== "ready") {
        event.preventDefault();
        event.stopImmediatePropagation();
      }
    },
    true,
  );

  // ---- connection -----------------------------------------------------------------------------
  async function alive() {
    try {
      const answer = await fetch("healthz", { cache: "no-store", signal: AbortSignal.timeout(5000) });
      return answer.status < 502;
    } catch {
      return false;
    }
  }

  function connection(lost) {
    const banner = $(".kf-banner");
    if (!banner || lost === state.offline) return;
    state.offline = lost;
    document.body.classList.toggle("kf-offline", lost);
    banner.textContent = lost ? banner.dataset.offline : banner.dataset.online;
    banner.hidden = false;
    banner.classList.toggle("kf-good", !lost);
    if (!lost) {
      setTimeout(() => (banner.hidden = !state.offline), 2500);
      act("resume");
    }
  }

  async function watchConnection() {
    if (document.visibilityState === "visible" || state.offline) connection(!navigator.onLine || !(await alive()));
    setTimeout(watchConnection, state.offline ? 2000 : state.name === "answering" ? 4000 : 15000);
  }
  window.addEventListener("offline", () => connection(true));
  window.addEventListener("online", async () => connection(!(await alive())));

  // ---- the two parts of the page report here when they are there -------------------------------
  window.kefu = {
    header(element, trigger, props, watch) {
      state.header = { element };
    },
    thread(element, trigger, props, watch) {
      state.thread = { element, trigger };
      scroller().addEventListener(
        "scroll",
        () => {
          const area = scroller();
          state.stick = area.scrollHeight - area.scrollTop - area.clientHeight < 80;
          $(".kf-jump", element).hidden = state.stick;
        },
        { passive: true },
      );
      new ResizeObserver(() => follow()).observe(scroller());
      watch("value", () => show(props.value));
      show(props.value);
      setTimeout(watchConnection, 4000);
    },
  };
})();
