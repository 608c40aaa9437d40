// ---- the server -----------------------------------------------------------------------------------

/** Silence after which a stream counts as lost; the server sends a sign of life every 10 s. */
const SILENCE_MS = 30_000;

/** What came instead of an answer.  `status` is 0 where the connection failed. */
class Failure extends Error {
  constructor(status, { say = "", retryAfter = null, lastId = null, reason = "" } = {}) {
    super(status ? `the server answered ${status}` : "no connection to the server");
    Object.assign(this, { status, say, retryAfter, lastId, reason });
  }
}

/** Reads server-sent events from pieces of text (HTML standard, section 9.2.6). */
class EventReader {
  constructor(onEvent) {
    this.onEvent = onEvent;
    this.rest = "";
    this.lastId = null;
    this.clear();
  }

  clear() {
    this.name = "";
    this.data = [];
  }

  feed(text) {
    this.rest += text;
    const lines = this.rest.split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    for (const line of lines) this.line(line);
  }

  line(line) {
    if (line === "") {
      if (this.data.length) this.onEvent(this.name, this.data.join("\n"));
      this.clear();
      return;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") this.name = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id") this.lastId = value;
  }
}

class Api {
  /** `token` gives the newest token, `language` the interface's language. */
  constructor(base, token, language) {
    this.base = base;
    this.token = token;
    this.language = language;
  }

  get(path) {
    return this.json(path, {});
  }

  post(path, body) {
    return this.json(path, { method: "POST", body: JSON.stringify(body) });
  }

  async json(path, init) {
    const response = await this.fetch(path, { signal: AbortSignal.timeout ? AbortSignal.timeout(20_000) : undefined, ...init });
    try {
      return await response.json();
    } catch {
      throw new Failure(0);
    }
  }

  async fetch(path, init) {
    const headers = { "Accept-Language": this.language(), ...init.headers };
    const token = this.token();
    if (token) headers.Authorization = `Bearer ${token}`;
    if (init.body) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(this.base + path, { credentials: "omit", cache: "no-store", ...init, headers });
    } catch {
      throw new Failure(0);
    }
    if (response.ok) return response;
    throw await this.failure(response);
  }

  async failure(response) {
    let body = {};
    try {
      body = (await response.json()) || {};
    } catch {
      /* a proxy's page, not ours */
    }
    const details = body.details || {};
    const gateway = [502, 504].includes(response.status) || response.status >= 520;
    return new Failure(gateway ? 0 : response.status, {
      say: typeof details.say === "string" ? details.say : "",
      retryAfter: Number.parseFloat(response.headers.get("Retry-After")) || null,
      reason: body.reason || "",
    });
  }

  /**
   * Sends a message and gives the whole reply; `on.start(data)` and `on.text(piece)` come before.
   * `lastId` goes on with a stream that broke off; the Failure of a new break carries the next one.
   */
  async chat(body, lastId, on) {
    const abort = new AbortController();
    const headers = { Accept: "text/event-stream" };
    if (lastId !== null) headers["Last-Event-ID"] = lastId;
    let guard = setTimeout(() => abort.abort(), SILENCE_MS);
    let reply = null;
    let failure = null;
    const reader = new EventReader((name, text) => {
      const data = JSON.parse(text);
      if (name === "start") on.start(data);
      else if (name === "delta") on.text(String(data.text || ""));
      else if (name === "done") reply = data.reply || data;
      else if (name === "error") {
        failure = new Failure(data.code || 500, { say: data.say || "", retryAfter: data.retry_after, reason: data.reason });
      }
    });
    reader.lastId = lastId;
    try {
      const response = await this.fetch("api/chat", {
        method: "POST", body: JSON.stringify({ ...body, stream: true }), headers, signal: abort.signal,
      });
      if (!/^text\/event-stream/i.test(response.headers.get("Content-Type") || "")) return await response.json();
      const stream = response.body.getReader();
      const decoder = new TextDecoder();
      while (reply === null && failure === null) {
        const { value, done } = await stream.read();
        if (done) break;
        clearTimeout(guard);
        guard = setTimeout(() => abort.abort(), SILENCE_MS);
        reader.feed(decoder.decode(value, { stream: true }));
      }
      stream.cancel().catch(() => {});
    } catch (error) {
      if (error instanceof Failure && error.status) throw error;
    } finally {
      clearTimeout(guard);
    }
    if (failure) throw failure;
    if (!reply) throw new Failure(0, { lastId: reader.lastId });
    return reply;
  }
}
