import { apply, type Contents, type Effects } from "./effects.ts";
import {
  clockOf,
  type End,
  type Exchange,
  type Look,
  type Moment,
  type Token,
} from "./exchange.ts";
import type { Replacement } from "./store.ts";

/** A session as it should be: its newest state, in the order in which the store took the changes. */
export interface SessionModel {
  readonly id: string;
  readonly subject: string | undefined;
  /** The subject's generation when it began. */
  readonly generation: string | undefined;
  /** From a use to its end, in seconds, as it began. */
  readonly window: number;
  /** When it ends at the latest, in seconds, as it began. */
  readonly endsAt: number;
  /** When its user proved who they are, in seconds. */
  readonly authenticatedAt: number | undefined;
  contents: Contents;
  /** Every value that it ever held, as a mark. */
  readonly history: Set<string>;
  /** Marks of values that are too large for a cookie. */
  readonly huge: Set<string>;
  /** Its record or mark in the store; empty before the first. */
  text: string;
  /** In true milliseconds. */
  lastUse: number;
}

type Times = Pick<End, "asked" | "moment">;

interface Generation {
  readonly value: string;
  readonly moment: Moment;
}

/** A request that commits later than this after its cookie's end finds it ended, in milliseconds. */
const GRACE = 60_000;

/** A value: its key with the request that wrote it. */
export function markOf(key: string, by: number): string {
  return `${key} by ${by}`;
}

/** Whether a session holds a value that is too large for a cookie. */
function isHuge({ contents, huge }: SessionModel): boolean {
  return Array.from(contents).some(([key, by]) => huge.has(markOf(key, by)));
}

/** Whether the commit that is under way put the mark: an end that an earlier one put stays. */
function isOwn({ handled, number }: Exchange, { asked, by, kind }: End): boolean {
  return by === number && (kind === "moved" || asked.order > (handled?.order ?? -1));
}

/** Whether the request last looked so late that its session's mark may have expired. */
function mayBeForgotten(exchange: Exchange): boolean {
  const last = exchange.looks.at(-1);
  return last !== undefined && isLate(exchange, last.moment);
}

/** A text of the store; for one that an earlier try of the request put there, what it replaced. */
function original({ written }: Exchange, text: string | undefined): string | undefined {
  return text !== undefined && written.has(text) ? written.get(text) : text;
}

function isLate(exchange: Exchange, moment: Moment): boolean {
  return clockOf(exchange, moment) > (exchange.token?.expiresAt ?? Infinity) * 1000 + GRACE;
}

/** What should hold, kept beside the real thing. */
export class Model {
  readonly #sessions = new Map<string, SessionModel>();
  /** The ends that the store took, by session: also of those that no cookie names yet. */
  readonly #ends = new Map<string, End>();
  /** The store's key of each subject's generation. */
  readonly #generationKeys: ReadonlyMap<string, string>;
  readonly #generations = new Map<string, Generation>();
  /** Those that others replaced: they are over, even if they came back. */
  readonly #replaced = new Set<string>();

  constructor(generationKeys: ReadonlyMap<string, string>) {
    this.#generationKeys = generationKeys;
  }

  session(id: string | undefined): SessionModel | undefined {
    return id === undefined ? undefined : this.#sessions.get(id);
  }

  /** Why the session is over, where it is: a mark, or another generation. */
  endOf(id: string | undefined): End | undefined {
    if (id === undefined) return undefined;
    return this.#ends.get(id) ?? this.#endOfGeneration(id);
  }

  #endOfGeneration(id: string): (End & { readonly value: string }) | undefined {
    const session = this.#sessions.get(id);
    if (session?.subject === undefined) return undefined;
    const present = this.#generationOf(session.subject);
    if (present === undefined) return undefined;
    const isReplaced = this.#replaced.has(session.generation ?? "");
    if (present.value === session.generation && !isReplaced) return undefined;
    const { moment, value } = present;
    return { kind: "generation", moment, asked: moment, by: undefined, next: undefined, value };
  }

  /** Whether the subject's generation changed since. */
  hasNewGeneration(subject: string, since: Moment): boolean {
    return (this.#generationOf(subject)?.moment.order ?? -1) > since.order;
  }

  /** The session and those that it moved to, one after the other. */
  *chainOf(id: string): Iterable<string> {
    yield id;
    const next = this.#ends.get(id)?.next;
    if (next !== undefined) yield* this.chainOf(next);
  }

  /** The store told an exchange of its session, and perhaps of generations. */
  look(
    exchange: Exchange,
    keys: readonly string[],
    values: readonly (string | undefined)[],
    asked: Moment,
    moment: Moment,
  ): void {
    for (const [index, key] of keys.entries()) {
      const value = values[index];
      if (key !== exchange.token?.id) exchange.generations.set(key, value?.split(" ")[3]);
      else exchange.looks.push(this.#lookAt(exchange, key, value, asked, moment));
    }
  }

  #lookAt(
    exchange: Exchange,
    id: string,
    text: string | undefined,
    asked: Moment,
    moment: Moment,
  ): Look {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new TypeError(`Cannot look at session ${id}: it never began`);
    const { contents, lastUse } = session;
    session.lastUse = moment.time;
    // A request takes its time before it asks the store.
    const isForgotten = original(exchange, text) === undefined && isLate(exchange, asked);
    const isOutlived = isForgotten || clockOf(exchange, asked) >= session.endsAt * 1000;
    // What ended for a request stays ended for it.
    const end = exchange.looks.at(-1)?.end ?? this.#endByOthers(exchange, id);
    const holdsHuge = isHuge(session);
    return { moment, isOutlived, contents, isHuge: holdsHuge, end, usedBefore: lastUse };
  }

  /** Why the session is over, but for what an earlier try of the same commit left. */
  #endByOthers(exchange: Exchange, id: string): End | undefined {
    const { generation } = exchange;
    const mark = this.#ends.get(id);
    if (mark !== undefined && !isOwn(exchange, mark)) return mark;
    const end = this.#endOfGeneration(id);
    return end?.value === generation ? undefined : end;
  }

  /** The store took a value: a generation, or from an exchange a record or a mark. */
  replace(
    { key, previous, next }: Replacement,
    asked: Moment,
    moment: Moment,
    exchange: Exchange | undefined,
    effects: Effects,
  ): void {
    const isGeneration = Array.from(this.#generationKeys.values()).includes(key);
    const [, how = "", , random = ""] = next.split(" ");
    if (isGeneration) {
      this.#replaced.add(this.#generations.get(key)?.value ?? "");
      this.#generations.set(key, { value: random, moment });
    }
    const times = { asked, moment };
    const isMark = how === "ended" || how === "moved";
    if (exchange === undefined) {
      // By `end`.
      if (isMark)
        this.#ends.set(key, { kind: "destroyed", ...times, by: undefined, next: undefined });
      return;
    }
    const nextId = how === "moved" ? random : undefined;
    if (isGeneration) exchange.generation = random;
    else if (key !== exchange.token?.id) {
      if (isMark && effects.isDestroyed) this.#end(key, "destroyed", times, exchange, nextId);
    } else {
      const session = this.session(key);
      if (session === undefined) return;
      if (nextId !== undefined) {
        const look = exchange.looks.at(-1);
        const wasLive = look?.end === undefined && look?.isOutlived !== true;
        exchange.moved = { id: nextId, base: wasLive ? session.contents : undefined };
        this.#end(key, "moved", times, exchange, nextId);
      } else this.#change(session, exchange, effects, times);
      exchange.changed = moment;
      exchange.written.set(next, original(exchange, previous));
      session.text = next;
    }
  }

  #change(session: SessionModel, exchange: Exchange, effects: Effects, times: Times): void {
    const { number: by, changed } = exchange;
    // Its first try took effect, and what others wrote since hides that: its flashes wait twice.
    const isTwice = changed !== undefined && !exchange.tried.has(session.text);
    const contents = apply(session.contents, effects, by, isTwice);
    if (effects.isDestroyed) this.#end(session.id, "destroyed", times, exchange);
    else if (contents.size === 0 && session.subject === undefined) {
      this.#end(session.id, "emptied", times, exchange);
    } else {
      put(session, contents, by, effects);
    }
  }

  #end(id: string, kind: End["kind"], times: Times, { number: by }: Exchange, next?: string): void {
    this.#ends.set(id, { kind, ...times, by, next: next ?? this.#ends.get(id)?.next });
  }

  /** The exchange was answered: its new session begins, and what it ended has to be over. */
  answer(exchange: Exchange, moment: Moment): void {
    const { token, cookie, effects, isLive, moved } = exchange;
    const isNewId = typeof cookie === "object" && cookie.id !== token?.id;
    if (isNewId) this.#begin(exchange, cookie, moment);
    if (!isLive || token === undefined) return;
    const times = { asked: moment, moment };
    if (effects.isDestroyed) {
      // Where the session moved is forgotten with its mark.
      const ids = mayBeForgotten(exchange) ? [token.id] : this.chainOf(token.id);
      for (const id of ids) {
        const isMissed = id !== moved?.id && this.endOf(id) === undefined;
        if (isMissed) this.#end(id, "destroyed", times, exchange);
      }
    } else if (isNewId && this.endOf(token.id) === undefined) {
      this.#end(token.id, "moved", times, exchange);
    }
  }

  #begin(exchange: Exchange, cookie: Token, moment: Moment): void {
    const { effects, moved, number, settings, token } = exchange;
    const isMoved = moved?.id === cookie.id && exchange.looks.at(-1)?.isOutlived !== true;
    const base = isMoved ? moved.base : undefined;
    const old = base === undefined ? undefined : this.session(token?.id);
    const subject = effects.signedIn ?? old?.subject;
    const kept = effects.signedIn === undefined ? old : undefined;
    const session: SessionModel = {
      id: cookie.id,
      subject,
      generation: this.#generationAtStart(exchange, kept),
      window: kept?.window ?? settings.idleTimeout,
      endsAt: kept?.endsAt ?? cookie.endsAt,
      authenticatedAt: effects.authenticates ? cookie.authenticatedAt : kept?.authenticatedAt,
      contents: new Map(),
      history: new Set(old?.history),
      huge: new Set(old?.huge),
      text: "",
      lastUse: moment.time,
    };
    put(session, apply(base ?? new Map(), effects, number), number, effects);
    this.#sessions.set(cookie.id, session);
  }

  #generationAtStart(
    { effects, generation, generations }: Exchange,
    kept: SessionModel | undefined,
  ): string | undefined {
    if (generation !== undefined) return generation;
    if (effects.signedIn === undefined) return kept?.generation;
    return generations.get(this.#generationKeys.get(effects.signedIn) ?? "");
  }

  #generationOf(subject: string): Generation | undefined {
    return this.#generations.get(this.#generationKeys.get(subject) ?? "");
  }
}

function put(session: SessionModel, contents: Contents, by: number, effects: Effects): void {
  session.contents = contents;
  for (const [key, writer] of contents) session.history.add(markOf(key, writer));
  for (const key of effects.huge) session.huge.add(markOf(key, by));
}
