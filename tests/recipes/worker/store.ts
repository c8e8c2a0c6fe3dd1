import { DurableObject, env } from "cloudflare:workers";
import type { Store } from "madeleine";

interface Entry {
  readonly text: string;
  readonly until: number;
}

/** A key of the store: a Durable Object of its own, which answers one request at a time. */
export class SessionRecord extends DurableObject {
  read(): string | undefined {
    const entry = this.ctx.storage.kv.get<Entry>("entry");
    return entry !== undefined && Date.now() < entry.until ? entry.text : undefined;
  }

  async replace(previous: string | undefined, next: string, ttl: number): Promise<boolean> {
    if (this.read() !== previous) return false;
    const until = Date.now() + ttl * 1000;
    this.ctx.storage.kv.put("entry", { text: next, until });
    await this.ctx.storage.setAlarm(until);
    return true;
  }

  override async alarm(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }
}

/** All isolates share it. Workers KV would not do: it may answer with what was there a minute ago. */
export const store: Store = {
  get: (keys) => Promise.all(keys.map((key) => env.RECORDS.getByName(key).read())),
  replace: (key, ...change) => env.RECORDS.getByName(key).replace(...change),
};
