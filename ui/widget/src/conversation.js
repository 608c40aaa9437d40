// ---- one conversation: what is said, what waits, what went wrong -----------------------------------

const PAUSES_MS = [1000, 2000, 4000, 8000, 15_000];
/** Times a busy server is asked again by itself, and the longest pause it may ask for. */
const BUSY_TRIES = 4;
const LONGEST_PAUSE_S = 30;
/** How long other tabs are kept from beginning a conversation after this one has. */
const LINGER_MS = 1000;

/**
 * The truth is on the server; this keeps the picture of it.  `items()` is what a page shows.
 *
 * `on` has changed(), connection(lost), grew(id), answered(reply), sent(text), failed(failure),
 * interrupted(waits).
 */
class Conversation {
  constructor(store, api, language, on) {
    Object.assign(this, { store, api, language, on });
    this.history = [];
    this.live = new Map(); // id of a waiting message -> {text, state}
    this.running = new Map(); // id -> promise of its reply
    this.lost = false;
    this.loaded = false;
    this.note = "";
    store.onchange = () => this.changedElsewhere();
    window.addEventListener("online", () => this.wake && this.wake());
  }

  /** True while a message of this or another tab is being answered. */
  get busy() {
    return Object.values(this.store.get().pending).some((message) => !message.failed);
  }

  items() {
    const { pending, person } = this.store.get();
    const waiting = Object.entries(pending).map(([id, message]) => ({ id, ...message }));
    const items = [];
    const take = (after) => {
      for (const message of waiting.filter((one) => one.after === after)) {
        items.push({ key: message.id, role: "user", text: message.text, at: message.at });
        if (message.failed) items.push({ key: `${message.id}!`, role: "failed", id: message.id, say: message.say });
        else items.push({ key: `${message.id}…`, role: "typing", ...(this.live.get(message.id) || { text: "" }) });
        waiting.splice(waiting.indexOf(message), 1);
      }
    };
    if (this.note) items.push({ key: "note", role: "note", text: this.note });
    take("");
    let told = !person;
    const tell = () => {
      told = true;
      items.push({ key: "person", role: "person" });
    };
    for (const message of this.history) {
      if (!told && Date.parse(message.created_at) > person) tell();
      items.push({ ...message, key: message.client_message_id || message.id, at: Date.parse(message.created_at) });
      take(message.client_message_id || message.id);
    }
    for (const message of [...waiting]) take(message.after);
    if (!told) tell();
    return items;
  }

  // ---- reading --------------------------------------------------------------------------------

  /** Fetches what was said, and goes on with messages that wait for an answer. */
  async load() {
    const { token, conversation } = this.store.get();
    if (token && conversation) {
      try {
        const found = await this.api.get(`api/conversations/${encodeURIComponent(conversation)}/messages?limit=100`);
        this.connection(false);
        if (this.store.get().conversation === conversation) this.take(found.messages || []);
      } catch (failure) {
        if ([401, 403, 404].includes(failure.status)) this.expire(token);
        else if (failure.status === 0) this.connection(true);
        else this.on.failed(failure, "error_history");
      }
    } else {
      this.history = [];
    }
    this.loaded = true;
    this.on.changed();
    this.resume();
  }

  take(messages) {
    this.history = messages;
    for (const message of messages) {
      if (message.client_message_id) this.settle(message.client_message_id);
    }
  }

  settle(id) {
    this.live.delete(id);
    if (this.store.get().pending[id]) this.store.pend(id, null);
  }

  resume() {
    for (const [id, message] of Object.entries(this.store.get().pending)) {
      if (!message.failed && !this.running.has(id)) this.run(id).catch(() => {});
    }
  }

  changedElsewhere() {
    const { conversation, changed } = this.store.get();
    if (conversation !== this.shown || changed !== this.seen) {
      if (conversation !== this.shown) this.note = "";
      this.shown = conversation;
      this.seen = changed;
      this.load();
      return;
    }
    this.on.changed();
    this.resume();
  }

  keep(answer) {
    if (!answer || !answer.token) return;
    this.shown = answer.conversation_id;
    this.store.set({ token: answer.token, conversation: answer.conversation_id });
  }

  /** Tells the other tabs that there is something new to fetch. */
  tell() {
    this.seen = newId();
    this.store.set({ changed: this.seen });
  }

  expire(token) {
    const state = this.store.get();
    if (state.token !== token) return; // another tab has a newer one already
    if (this.history.length || state.conversation) this.note = "expired";
    this.history = [];
    this.store.set({ token: null, conversation: null, person: null });
    this.shown = null;
  }

  // ---- sending --------------------------------------------------------------------------------

  /** Sends a message; gives the reply, or fails with a Failure once there is no hope. */
  send(text) {
    const id = newId();
    const last = this.items().filter((item) => ["user", "bot", "agent"].includes(item.role)).pop();
    this.on.sent(text);
    return this.run(id, { text, at: Date.now(), after: last ? last.key : "" });
  }

  retry(id) {
    this.store.pend(id, { failed: false, say: "" });
    return this.run(id).catch(() => {});
  }

  /** Gets the answer to a message that waits, or that is new: other tabs see it once this one holds its lock. */
  run(id, message = null) {
    this.live.set(id, { text: "", state: "" });
    const work = alone(`${this.store.key}:${id}`, async () => {
      if (message) this.store.pend(id, message);
      this.on.changed();
      return this.answer(id);
    }).finally(() => {
      this.running.delete(id);
      this.on.changed();
    });
    this.running.set(id, work);
    this.on.changed();
    return work;
  }

  async answer(id) {
    const message = this.store.get().pending[id];
    if (!message || message.failed) return this.load(); // another tab has had it meanwhile
    try {
      const reply = await this.untilAnswered(id, message.text);
      this.finish(id, message, reply);
      return reply;
    } catch (failure) {
      if (!this.wanted(id)) throw failure;
      this.store.pend(id, { failed: true, say: failure.say || "", code: failure.status });
      this.live.delete(id);
      this.on.failed(failure, "error");
      throw failure;
    }
  }

  finish(id, message, reply) {
    const known = this.history.some((one) => one.client_message_id === id);
    if (!known && !this.wanted(id)) return;
    this.keep(reply);
    const at = new Date(message.at).toISOString();
    if (!known) {
      this.history.push({ role: "user", id: `${id}?`, client_message_id: id, text: message.text, created_at: at });
      this.history.push({ ...reply, role: "bot", id: reply.message_id, created_at: new Date().toISOString() });
    }
    this.settle(id);
    if (reply.hand_over) this.store.set({ person: Date.now() });
    this.tell();
    this.on.answered(reply);
  }

  async untilAnswered(id, text) {
    let lastId = null;
    let busy = 0;
    let lost = 0;
    let begun = 0;
    while (this.wanted(id)) {
      let token = null;
      try {
        await this.begin();
        token = this.store.get().token;
        const body = { message: text, message_id: id, language: this.language() };
        const reply = await this.api.chat(body, lastId, this.listener(id, lastId));
        this.connection(false);
        return reply;
      } catch (failure) {
        if (!(failure instanceof Failure)) throw failure;
        if (failure.status) this.connection(false);
        if (failure.status === 0) {
          lastId = failure.lastId ?? lastId;
          this.connection(true);
          await this.pause(PAUSES_MS[Math.min(lost++, PAUSES_MS.length - 1)]);
        } else if ([401, 403].includes(failure.status) && begun++ < 2) {
          this.expire(token);
          lastId = null;
        } else if ([429, 503].includes(failure.status) && busy++ < BUSY_TRIES) {
          lastId = null;
          await this.waitFor(id, Math.min(failure.retryAfter || 2 ** busy, LONGEST_PAUSE_S));
        } else {
          throw failure;
        }
      }
    }
    throw new Failure(0, { reason: "forgotten" });
  }

  /** False once the visitor has begun a new conversation, or another tab has the answer. */
  wanted(id) {
    return id in this.store.get().pending;
  }

  listener(id, lastId) {
    let text = lastId === null ? "" : (this.live.get(id) || { text: "" }).text;
    return {
      start: (data) => {
        if (this.wanted(id)) this.keep(data);
        this.connection(false);
        text = "";
      },
      text: (piece) => {
        text += piece;
        this.connection(false);
        this.live.set(id, { text, state: "" });
        this.on.grew(id, text);
      },
    };
  }

  /** Begins a conversation where there is none; of several tabs only one does. */
  async begin() {
    const known = () => this.store.get().token;
    if (known()) return;
    await new Promise((done, failed) => {
      const work = async () => {
        if (known()) return done();
        this.keep(await this.api.post("api/conversations", {}));
        done();
        // What is written here reaches the other tabs a moment later; until then they wait at the lock.
        return new Promise((free) => setTimeout(free, LINGER_MS));
      };
      Promise.resolve(alone(`${this.store.key}:begin`, work)).catch(failed);
    });
  }

  /** Counts the seconds down in front of the visitor. */
  async waitFor(id, seconds) {
    for (let left = Math.ceil(seconds); left > 0; left -= 1) {
      this.live.set(id, { text: "", state: "busy", left });
      this.on.changed();
      await this.pause(1000);
    }
    this.live.set(id, { text: "", state: "" });
    this.on.changed();
  }

  /** Waits, less where the network comes back before. */
  pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  connection(lost) {
    if (lost === this.lost) return;
    this.lost = lost;
    this.on.connection(lost);
  }

  // ---- the rest -------------------------------------------------------------------------------

  async rate(message, value, reason) {
    await this.api.post("api/feedback", { message_id: message.id, value, ...(reason && { reason }) });
    message.feedback = value;
    const known = this.history.find((one) => one.id === message.id);
    if (known) known.feedback = value;
    this.tell();
  }

  async person(reason) {
    const { token } = this.store.get();
    const ask = () => this.api.post("api/hand-over", reason ? { reason } : {});
    const answer = await ask().catch((failure) => {
      if (failure.status !== 401) throw failure;
      this.expire(token);
      return ask();
    });
    this.keep(answer);
    this.store.set({ person: Date.now() });
    this.tell();
    this.on.changed();
  }

  /** Forgets the conversation in this browser and begins an empty one with the next message. */
  fresh() {
    this.history = [];
    this.note = "";
    this.live.clear();
    this.shown = null;
    this.store.set({ token: null, conversation: null, person: null, pending: {} });
    this.tell();
    this.on.changed();
  }
}
