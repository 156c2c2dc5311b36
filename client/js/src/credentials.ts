import type { Connection } from "./connection.js";
import type { Refreshed } from "./frames.js";

/** A token, or a token and the seconds until it expires. */
export type Token = string | { token: string; expires?: number };

/** Returns a token. It is called at every connect and before a token expires. */
export type TokenSource = (why: "connect" | "refresh") => Token | Promise<Token>;

/** The fraction of a token's life after which the client gets a new one. */
const renewAfter = 0.8;

/** Sends the token: at each connect, and again before it expires. */
export class Credentials {
  /** Whether the newest connection has sent the token. */
  connected = false;
  #refused = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly source: TokenSource, private readonly id: () => number) {}

  async connect(c: Connection): Promise<void> {
    this.connected = false;
    const t = await this.source("connect");
    if (c.over) return;
    c.send({ type: "connect", token: tokenOf(t) });
    this.connected = true;
    this.#later(c, typeof t === "string" ? undefined : t.expires);
  }

  /** The server answered: the token was good. */
  accepted(): void {
    this.#refused = false;
  }

  refreshed(c: Connection, f: Refreshed): void {
    this.#later(c, f.expires);
  }

  /**
   * The server refused the token. Returns true if another attempt may help: once, until one is
   * accepted.
   */
  again(): boolean {
    const first = !this.#refused;
    this.#refused = true;
    return first;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #later(c: Connection, expires: number | undefined): void {
    clearTimeout(this.#timer);
    if (!expires || expires <= 0) return;
    this.#timer = setTimeout(() => void this.#refresh(c), expires * 1_000 * renewAfter);
  }

  async #refresh(c: Connection): Promise<void> {
    try {
      const t = await this.source("refresh");
      c.send({ type: "refresh", id: this.id(), token: tokenOf(t) });
      this.#later(c, typeof t === "string" ? undefined : t.expires);
    } catch {
      // the old token may last; if it does not, the server closes and the client connects with a
      // new one
      this.#later(c, 30);
    }
  }
}

function tokenOf(t: Token): string {
  return typeof t === "string" ? t : t.token;
}
