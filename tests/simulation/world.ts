import {
  createSessions,
  type Session,
  type SessionOptions,
  type Sessions,
} from "../../session/mod.ts";
import { type Exchange, type Moment, readCookie, type Token } from "./exchange.ts";
import { type Finding, judgeAnswer, judgeDelivery, judgeOpen, judgeStored } from "./judge.ts";
import { Model, type SessionModel } from "./model.ts";
import {
  choosePlan,
  chooseSubject,
  chooseWeights,
  look,
  NO_OPERATIONS,
  perform,
  type Plan,
  type Values,
  type Weights,
} from "./plan.ts";
import { createRandom, type Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";
import { createStore } from "./store.ts";

export type DataIn = "cookie" | "store";

/** A new generation under way. */
interface EndAll {
  readonly subject: string;
  /** The sessions that it ends: empty until the store has taken the new generation. */
  ended: readonly SessionModel[];
}

type Task = Exchange | EndAll;

interface Browser {
  readonly number: number;
  jar: Token | undefined;
  /** Responses under way. */
  readonly responses: Exchange[];
}

/**
 * A machine, with a clock that may be wrong. Each request under way has a process of its own there:
 * within one process the commits of a session take turns, and so would never meet.
 */
interface Instance {
  readonly skew: number;
  readonly createProcess: () => Sessions<Values>;
  readonly idle: Sessions<Values>[];
}

const INSTANCES = 3;
const BROWSERS = 2;
/** Requests of one browser that overlap at most. */
const OVERLAP = 4;
/** How wrong a clock may be, in milliseconds. */
const SKEW = 14_000;
const COOKIE = "session";

/** One small world: servers, a store, browsers and thieves, and what they come to. */
export class World {
  readonly findings: Finding[] = [];
  readonly #random: Random;
  readonly #dataIn: DataIn;
  readonly #scheduler: Scheduler<Task>;
  readonly #model: Model;
  readonly #idleTimeout: number;
  readonly #instances: readonly Instance[];
  readonly #weights: Weights;
  readonly #browsers: readonly Browser[];
  readonly #exchanges: Exchange[] = [];
  /** Every cookie that was ever sent. */
  readonly #copies: Token[] = [];
  readonly #trace: (text: string) => void;
  #time = Date.UTC(2030, 0);
  #order = 0;

  constructor(seed: number, dataIn: DataIn, trace: (text: string) => void = () => {}) {
    const random = createRandom(seed);
    this.#random = random;
    this.#dataIn = dataIn;
    this.#trace = trace;
    this.#model = new Model(dataIn === "store");
    this.#scheduler = new Scheduler(random);
    this.#weights = chooseWeights(random);
    this.#idleTimeout = random.pick([130, 300, 900]);
    this.#instances = this.#createInstances();
    this.#browsers = Array.from({ length: BROWSERS }, (_, number) => {
      return { number, jar: undefined, responses: [] };
    });
  }

  /** Lets so many things happen, and looks what became of it all. */
  async run(steps: number): Promise<readonly Finding[]> {
    for (let step = 0; step < steps; step++) await this.#step();
    await this.#scheduler.finish();
    for (const browser of this.#browsers) {
      while (browser.responses.length > 0) this.#deliver(browser);
    }
    for (const seconds of [0, 61, this.#idleTimeout / 2]) {
      await this.#advance(seconds * 1000);
      await this.#lookAround();
    }
    return this.findings;
  }

  #createInstances(): readonly Instance[] {
    const random = this.#random;
    const store = createStore({
      now: () => this.#time,
      pause: random.percent(80) ? () => this.#scheduler.pause("store") : undefined,
      onGet: (keys) => this.#onGet(keys),
      onReplace: (key, isReplaced) => this.#onReplace(key, isReplaced),
    });
    const lifetime = random.pick([1, 3, 100]) * this.#idleTimeout;
    return Array.from({ length: INSTANCES }, () => {
      const skew = random.pick([-SKEW, 0, SKEW, random.between(-SKEW, SKEW)]);
      const options: SessionOptions<Values> = {
        secretKey: "0123456789abcdefghijklmnopqrstuv",
        cookie: { name: COOKIE },
        idleTimeout: this.#idleTimeout,
        lifetime,
        store,
        dataIn: this.#dataIn,
        now: () => this.#time + skew,
      };
      return { skew, createProcess: () => createSessions(options), idle: [] };
    });
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const action = random.weighted([
      [8, "go on"],
      [4, "send"],
      [3, "deliver"],
      [1, "copy"],
      [1, "wait"],
      [random.percent(20) ? 1 : 0, "end all"],
    ] as const);
    this.#time += random.between(0, 5);
    switch (action) {
      case "go on":
        return this.#scheduler.step();
      case "send":
        return this.#send(random.pick(this.#browsers), choosePlan(random, this.#weights));
      case "deliver":
        return this.#deliver(random.pick(this.#browsers));
      case "copy":
        return this.#sendCopy(choosePlan(random, this.#weights));
      case "wait":
        return this.#advance(this.#chooseWait());
      case "end all":
        return this.#endAll(chooseSubject(random));
    }
  }

  /** In milliseconds: a moment, about a window, or about the life of a cookie. */
  #chooseWait(): number {
    const idle = this.#idleTimeout * 1000;
    const [low, high] = this.#random.weighted([
      [4, [0, 5000]],
      [3, [5000, 59_000]],
      [2, [60_000, 90_000]],
      [2, [idle / 2, idle]],
      [0.5, [idle, idle * 2]],
    ] as const);
    return this.#random.between(low, high);
  }

  /** Time goes by; what asked the store gets its answer before. */
  async #advance(milliseconds: number): Promise<void> {
    await this.#scheduler.finishStore();
    this.#time += milliseconds;
    if (milliseconds > 0) this.#trace(`${milliseconds} ms later`);
  }

  #moment(): Moment {
    return { order: this.#order++, time: this.#time };
  }

  async #send(browser: Browser, plan: Plan): Promise<void> {
    const open = this.#exchanges.filter(
      (one) => one.browser === browser.number && one.answered === undefined,
    );
    // Parallel first requests make sessions of their own, which is seldom of interest.
    const isVisitor = browser.jar === undefined && this.#random.percent(90);
    if (open.length >= OVERLAP) return;
    if (isVisitor && open.length + browser.responses.length > 0) return;
    await this.#start(browser.number, browser.jar, plan);
  }

  async #sendCopy(plan: Plan): Promise<void> {
    if (this.#copies.length === 0) return;
    await this.#start(undefined, this.#random.pick(this.#copies), plan);
  }

  async #start(browser: number | undefined, token: Token | undefined, plan: Plan): Promise<void> {
    const exchange = createExchange(
      this.#exchanges.length + 1,
      browser,
      token,
      plan,
      this.#moment(),
    );
    this.#exchanges.push(exchange);
    const instance = this.#random.pick(this.#instances);
    const kinds = plan.operations.map((one) =>
      "key" in one ? `${one.kind} ${one.key}` : one.kind,
    );
    this.#trace(
      `${exchange.number} sent by ${browser ?? "a copy"} with ${this.#name(token)}: ${kinds.join(", ")}`,
    );
    await this.#scheduler.start(exchange, () => this.#exchange(exchange, instance));
  }

  async #exchange(exchange: Exchange, { skew, createProcess, idle }: Instance): Promise<void> {
    const sessions = idle.pop() ?? createProcess();
    const cookie = exchange.token?.text;
    const headers = cookie === undefined ? undefined : { cookie: `${COOKIE}=${cookie}` };
    const handler = sessions.handler(async (_request: Request, session) => {
      this.#onOpen(exchange, session, skew);
      for (let pause = 0; pause < exchange.plan.pauses; pause++) {
        await this.#scheduler.pause("handler");
      }
      exchange.effects = perform(session, exchange.plan, exchange.number);
      exchange.handled = this.#moment();
      return new Response();
    });
    try {
      const response = await handler(
        new Request("http://localhost/", { ...(headers && { headers }) }),
      );
      exchange.cookie = readCookie(response);
      exchange.hasFailed = response.status !== 200;
      if (exchange.hasFailed) this.#fail(exchange, `status ${response.status}`);
    } catch (error) {
      exchange.hasFailed = true;
      const isHuge = exchange.plan.operations.some(({ kind }) => kind === "huge");
      if (!isHuge) this.#fail(exchange, String(error));
    }
    idle.push(sessions);
    this.#onAnswer(exchange, skew);
  }

  #fail(exchange: Exchange, text: string): void {
    this.#note([{ fault: "failed", text: `${exchange.number}: ${text}` }]);
  }

  #onOpen(exchange: Exchange, session: Session<Values>, skew: number): void {
    exchange.opened = this.#moment();
    exchange.isLive = !session.isNew && session.id === exchange.token?.id;
    exchange.seen = look(session);
    exchange.subjectSeen = session.subject;
    const seen = Array.from(exchange.seen, ([key, by]) => `${key} by ${by}`).join(", ");
    this.#trace(`${exchange.number} opened ${exchange.isLive ? "live" : "new"}: ${seen}`);
    this.#note(judgeOpen(this.#model, exchange, this.#exchanges, this.#time + skew));
    if (this.#dataIn === "store") this.#note(judgeStored(exchange));
  }

  #onGet(keys: readonly string[]): void {
    const task = this.#scheduler.current;
    if (task === undefined || "subject" in task || task.opened !== undefined) return;
    if (task.token === undefined || !keys.includes(task.token.id)) return;
    task.asked = this.#moment();
    this.#model.ask(task);
  }

  #onReplace(key: string, isReplaced: boolean): void {
    const task = this.#scheduler.current;
    if (task === undefined) return;
    if ("subject" in task) {
      if (isReplaced) this.#onGeneration(task);
    } else if (!isReplaced) task.hadConflict = true;
    else if (key === task.token?.id) {
      this.#trace(`${task.number} committed`);
      this.#model.commit(task, this.#moment());
    }
  }

  #onGeneration(task: EndAll): void {
    const open = this.#exchanges.filter(({ answered }) => answered === undefined);
    for (const exchange of open) exchange.isBesideEndAll = true;
    // Two keys of the store can't change as one: a login that commits just now may come after.
    const beside = open.filter(({ effects }) => effects?.subject !== undefined);
    task.ended = this.#model.endAll(task.subject, new Set(beside.map(({ token }) => token?.id)));
  }

  #onAnswer(exchange: Exchange, skew: number): void {
    const moment = this.#moment();
    const { cookie, browser, hasFailed } = exchange;
    if (hasFailed) exchange.answered = moment;
    else this.#model.answer(exchange, moment);
    if (typeof cookie === "object") this.#copies.push(cookie);
    const change = cookie === "deleted" ? "a deletion" : this.#name(cookie);
    this.#trace(`${exchange.number} answered with ${change}`);
    if (!hasFailed) this.#note(judgeAnswer(this.#model, exchange, this.#time + skew));
    if (browser !== undefined) this.#browsers[browser]?.responses.push(exchange);
  }

  /** A response arrives, or is lost on its way. */
  #deliver(browser: Browser): void {
    if (browser.responses.length === 0) return;
    const exchange = this.#random.pick(browser.responses);
    browser.responses.splice(browser.responses.indexOf(exchange), 1);
    const isLost = this.#random.percent(12) || exchange.hasFailed;
    this.#trace(`${exchange.number} ${isLost ? "lost" : "delivered"}`);
    if (isLost) return;
    this.#note(judgeDelivery(this.#model, exchange, browser.jar));
    exchange.delivered = this.#moment();
    const { cookie } = exchange;
    if (cookie !== undefined) browser.jar = cookie === "deleted" ? undefined : cookie;
  }

  async #endAll(subject: string): Promise<void> {
    const task: EndAll = { subject, ended: [] };
    const sessions = this.#random.pick(this.#instances).createProcess();
    this.#trace(`end all of ${subject}`);
    await this.#scheduler.start(task, async () => {
      await sessions.endAll(subject);
      this.#model.answerEndAll(task.ended, this.#moment());
      this.#trace(`ended all of ${subject}`);
    });
  }

  /** Everybody reads: the browsers, and whoever has a copy. */
  async #lookAround(): Promise<void> {
    for (const browser of this.#browsers) {
      await this.#start(browser.number, browser.jar, NO_OPERATIONS);
      await this.#scheduler.finish();
      while (browser.responses.length > 0) this.#deliver(browser);
    }
    for (let count = Math.min(6, this.#copies.length); count > 0; count--) {
      await this.#sendCopy(NO_OPERATIONS);
      await this.#scheduler.finish();
    }
  }

  #note(findings: Iterable<Finding>): void {
    for (const finding of findings) {
      this.findings.push(finding);
      this.#trace(`! ${"fault" in finding ? finding.fault : finding.limit}: ${finding.text}`);
    }
  }

  /** The cookie's place among all, because ids are different in each run. */
  #name(token: Token | undefined): string {
    if (token === undefined) return "no cookie";
    const ids = Array.from(new Set(this.#copies.map(({ id }) => id)));
    return `cookie ${this.#copies.indexOf(token)} of session ${ids.indexOf(token.id)}`;
  }
}

function createExchange(
  number: number,
  browser: number | undefined,
  token: Token | undefined,
  plan: Plan,
  sent: Moment,
): Exchange {
  return {
    number,
    browser,
    token,
    plan,
    sent,
    expected: new Map(),
    writesSeen: 0,
    asked: undefined,
    opened: undefined,
    isLive: false,
    seen: new Map(),
    subjectSeen: undefined,
    effects: undefined,
    handled: undefined,
    committed: undefined,
    hadConflict: false,
    answered: undefined,
    hasFailed: false,
    cookie: undefined,
    delivered: undefined,
    isBesideEndAll: false,
  };
}
