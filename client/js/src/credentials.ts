import type { Connection } from "./connection.js";
import type { Refreshed } from "./frames.js";

/** A token, or a token and the seconds until it expires. */
export type Token = string | { token: string; expires?: number };

/** Gives a token. It is called at every connect and before a token expires. */
export type TokenSource = (why: "connect" | "refresh") => Token | Promise<Token>;

/** The part of a token's life after which a new one is got. */
const renewAfter = 0.8;

/** Says who the client is: at each connect, and again before that expires. */
export class Credentials {
  /** The newest connection has been told. */
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

  /** The server serves: the token was good. */
  accepted(): void {
    this.#refused = false;
  }

  refreshed(c: Connection, f: Refreshed): void {
    this.#later(c, f.expires);
  }

  /** The server would not have the token. True where another is worth an attempt: once, until one is accepted. */
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
      this.#later(c, 30); // the old one may last; where it does not, the server closes and connect asks again
    }
  }
}

function tokenOf(t: Token): string {
  return typeof t === "string" ? t : t.token;
}
