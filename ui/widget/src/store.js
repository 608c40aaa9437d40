// ---- what the browser keeps: the token, and messages that are not answered yet --------------------

/**
 * The visitor's state.  All tabs of the site share it with `local`, each tab has its own with
 * `session`, a reload loses it with `none` or where the browser forbids storage.
 *
 * {token, conversation, person, changed, pending: {id: {text, at, after, failed?, say?}}}
 */
class Store {
  constructor(kind, base) {
    this.key = `kefu:${base}`;
    this.pending = `${this.key}:pending:`;
    this.area = null;
    this.memory = {};
    this.onchange = () => {};
    try {
      if (kind !== "none") {
        this.area = kind === "session" ? sessionStorage : localStorage;
        this.area.setItem(`${this.key}:try`, "1");
        this.area.removeItem(`${this.key}:try`);
      }
    } catch {
      this.area = null;
    }
    window.addEventListener("storage", (event) => {
      const mine = event.key === null || event.key === this.key || event.key.startsWith(this.pending);
      if (event.storageArea === this.area && mine) this.onchange();
    });
  }

  /**
   * Token and each waiting message lie apart: what another tab has written arrives here a moment
   * late, and whoever notes a message must not write back a state from before the other's.
   */
  get() {
    if (!this.area) return { ...this.memory, pending: this.memory.pending || {} };
    const pending = {};
    for (const key of this.waiting()) {
      const message = this.read(key);
      if (message.text) pending[key.slice(this.pending.length)] = message;
    }
    return { ...this.read(this.key), pending };
  }

  waiting() {
    return Object.keys(this.area).filter((key) => key.startsWith(this.pending));
  }

  read(key) {
    try {
      const value = JSON.parse(this.area.getItem(key) || "{}");
      return value && typeof value === "object" && !Array.isArray(value) ? value : {};
    } catch {
      return {};
    }
  }

  /** Changes the state; with `pending: {}` all waiting messages are forgotten. */
  set(change) {
    const { pending, ...state } = (this.memory = { ...this.get(), ...change });
    this.write(() => {
      if (change.pending) for (const key of this.waiting()) this.area.removeItem(key);
      this.area.setItem(this.key, JSON.stringify(state));
    });
  }

  /** Changes or, with null, forgets one waiting message. */
  pend(id, change) {
    const pending = { ...this.get().pending };
    if (change) pending[id] = { ...pending[id], ...change };
    else delete pending[id];
    this.memory = { ...this.get(), pending };
    this.write(() => {
      if (change) this.area.setItem(this.pending + id, JSON.stringify(pending[id]));
      else this.area.removeItem(this.pending + id);
    });
  }

  write(work) {
    if (!this.area) return;
    try {
      work();
    } catch {
      this.area = null; // full or forbidden meanwhile: go on in memory
    }
  }
}

/** Small things of this tab alone: whether the panel is open, what is typed. */
const tab = {
  get(name) {
    try {
      return sessionStorage.getItem(`kefu:tab:${name}`) || "";
    } catch {
      return "";
    }
  },
  set(name, value) {
    try {
      if (value) sessionStorage.setItem(`kefu:tab:${name}`, value);
      else sessionStorage.removeItem(`kefu:tab:${name}`);
    } catch {
      /* forbidden: the panel starts closed after a reload */
    }
  },
};

/** Runs `work` while no other tab runs work of this name; where the browser has no locks, at once. */
function alone(name, work) {
  return navigator.locks ? navigator.locks.request(name, work) : work();
}

/** 128 random bits as a UUID; `crypto.randomUUID` exists on https pages only. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
