import type { Session } from "../../session/mod.ts";
import { type Effects, look, NO_EFFECTS, type Values } from "./effects.ts";
import { createExchange, type Exchange, isOpen, type Moment, type Token } from "./exchange.ts";
import type { Finding } from "./finding.ts";
import { CLOCKS, createInstance, type DataIn, type Instance } from "./instance.ts";
import { type Errand, judgeDelivery, judgeEnd, judgeList, judgeOpen } from "./judge.ts";
import { judgeAnswer, judgeTimes } from "./judge_answer.ts";
import { Model } from "./model.ts";
import {
  choosePlan,
  chooseSubject,
  chooseWeights,
  type Plan,
  READ,
  SUBJECTS,
  type Weights,
} from "./plan.ts";
import { createRandom, type Random } from "./random.ts";
import { chooseRates, type Rates } from "./rates.ts";
import { Scheduler } from "./scheduler.ts";
import { codeOf, serve } from "./serve.ts";
import { createStore, type Fate, type Replacement } from "./store.ts";
import {
  describeAnswer,
  describeFinding,
  describeOpened,
  describeReplacement,
  describeRequest,
} from "./trace.ts";

type Task = Exchange | Errand;

/** Who calls the store, with what they did to their session so far. */
interface Call {
  readonly task: Task | undefined;
  readonly effects: Effects;
  /** When it was made. The store answers later. */
  readonly made: Moment;
}

interface Browser {
  readonly number: number;
  jar: Token | undefined;
  /** Responses under way. */
  readonly responses: Exchange[];
}

const INSTANCES = 3;
const BROWSERS = 2;
/** Requests of one browser that overlap at most. */
const OVERLAP = 4;
/** How long the library waits for a call of the store, in milliseconds. */
const STORE_TIMEOUT = 250;
/** For how long an expired cookie is still worth a try, in milliseconds. */
const EXPIRED = 90_000;
/** How many copies are tried at the end. */
const COPIES = 6;

/** One small world: servers, a store, browsers and thieves, and what becomes of them. */
export class World {
  readonly findings: Finding[] = [];
  readonly #random: Random;
  readonly #scheduler: Scheduler<Task>;
  readonly #model: Model;
  readonly #rates: Rates;
  readonly #weights: Weights;
  readonly #hasList: boolean;
  readonly #createInstance: (skew: number) => Instance;
  readonly #instances: Instance[];
  readonly #browsers: readonly Browser[];
  readonly #exchanges: Exchange[] = [];
  /** Every cookie that was ever sent. */
  readonly #copies: Token[] = [];
  /** What the store took and does later. */
  readonly #postponed: (() => void)[] = [];
  readonly #trace: (text: () => string) => void;
  #time = Date.UTC(2030, 0);
  #order = 0;

  constructor(
    seed: number,
    dataIn: DataIn,
    generationKeys: ReadonlyMap<string, string>,
    trace?: (text: string) => void,
  ) {
    const random = createRandom(seed);
    this.#random = random;
    this.#trace = trace === undefined ? () => {} : (text) => trace(text());
    this.#model = new Model(generationKeys);
    this.#scheduler = new Scheduler(random);
    this.#weights = chooseWeights(random);
    this.#hasList = random.percent(40);
    this.#rates = chooseRates(random, this.#hasList);
    const surroundings = {
      random,
      store: this.#createStore(),
      now: () => this.#time,
      dataIn: random.percent(60) ? dataIn : undefined,
      list: this.#hasList,
    };
    this.#createInstance = (skew) => createInstance(surroundings, skew);
    const clocks = random.pick(CLOCKS);
    this.#instances = Array.from({ length: INSTANCES }, () =>
      this.#createInstance(random.pick(clocks)),
    );
    this.#browsers = Array.from({ length: BROWSERS }, (_, number) => {
      return { number, jar: undefined, responses: [] };
    });
  }

  /** Lets so many things happen, and looks what became of it all. */
  async run(steps: number): Promise<readonly Finding[]> {
    for (let step = 0; step < steps; step++) await this.#step();
    await this.#scheduler.finish();
    this.#runPostponed();
    for (const browser of this.#browsers) {
      while (browser.responses.length > 0) this.#deliver(browser);
    }
    const { idleTimeout } = this.#random.pick(this.#instances).settings;
    for (const seconds of [0, 61, idleTimeout / 2, idleTimeout]) {
      await this.#advance(seconds * 1000);
      await this.#lookAround();
    }
    return this.findings;
  }

  #createStore(): ReturnType<typeof createStore<Call>> {
    const random = this.#random;
    const isAsync = random.percent(80);
    return createStore<Call>({
      now: () => this.#time,
      pause: isAsync ? () => this.#scheduler.pause("store") : undefined,
      caller: () => {
        const task = this.#scheduler.current;
        const effects = isExchange(task) ? task.effects : NO_EFFECTS;
        return { task, effects, made: this.#moment() };
      },
      chooseFate: () => this.#chooseFate(),
      chooseDelay: () => (random.percent(this.#rates.lateExpiry) ? random.between(0, 900_000) : 0),
      postpone: (effect) => {
        this.#postponed.push(effect);
        this.#time += STORE_TIMEOUT;
      },
      onGet: ({ task, made }, keys, values) => {
        if (isExchange(task)) this.#model.look(task, keys, values, made, this.#moment());
      },
      onReplace: (call, replacement) => this.#onReplace(call, replacement),
      onFault: ({ task }) => {
        if (task !== undefined) task.hadFault = true;
      },
    });
  }

  #chooseFate(): Fate {
    if (!this.#random.percent(this.#rates.fault)) return "answered";
    return this.#random.pick(["refused", "lost", "repeated", "late"]);
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const { crash, endAll, list, end, setUp } = this.#rates;
    const action = random.weighted([
      [8, "run"],
      [4, "send"],
      [3, "deliver"],
      [1, "copy"],
      [1, "wait"],
      [endAll / 100, "end all"],
      [list / 100, "list"],
      [end / 100, "end"],
      [crash / 100, "crash"],
      [setUp / 100, "set up"],
      [this.#postponed.length, "postponed"],
    ] as const);
    if (random.percent(50)) this.#time += random.between(1, 10);
    switch (action) {
      case "run":
        return this.#scheduler.step();
      case "send":
        return this.#send(random.pick(this.#browsers), this.#choosePlan());
      case "deliver":
        return this.#deliver(random.pick(this.#browsers));
      case "copy":
        return this.#sendCopy(this.#choosePlan());
      case "wait":
        return this.#advance(this.#chooseWait());
      case "end all":
        return this.#endAll(chooseSubject(random));
      case "list":
        return this.#list(chooseSubject(random));
      case "end":
        return this.#end(chooseSubject(random));
      case "crash":
        return this.#crash();
      case "set up":
        return this.#setUp();
      case "postponed":
        return this.#runPostponed();
    }
  }

  #choosePlan(): Plan {
    return choosePlan(this.#random, this.#weights, this.#rates.retry);
  }

  /** In milliseconds: a moment, about a minute, or about the life of a cookie. */
  #chooseWait(): number {
    const idle = this.#random.pick(this.#instances).settings.idleTimeout * 1000;
    const [low, high] = this.#random.weighted([
      [4, [0, 5000]],
      [3, [5000, 59_000]],
      [2, [60_000, 90_000]],
      [2, [idle / 2, idle]],
      [0.7, [idle, idle + 130_000]],
      [0.3, [idle, idle * 2]],
    ] as const);
    return this.#random.between(low, high);
  }

  /** Time goes by; what asked the store gets its answer before. */
  async #advance(milliseconds: number): Promise<void> {
    await this.#scheduler.finishStore();
    this.#runPostponed();
    this.#time += milliseconds;
    if (milliseconds > 0) this.#trace(() => `${milliseconds} ms later`);
  }

  #runPostponed(): void {
    for (const effect of this.#postponed.splice(0)) effect();
  }

  #crash(): void {
    const task = this.#scheduler.crash();
    if (!isExchange(task)) return;
    task.isCrashed = true;
    this.#trace(() => `${task.number} crashed`);
  }

  /** An instance gets other settings. Requests under way keep the old ones. */
  #setUp(): void {
    const index = this.#random.below(INSTANCES);
    const skew = this.#instances[index]?.settings.skew ?? 0;
    this.#instances[index] = this.#createInstance(skew);
  }

  #moment(): Moment {
    return { order: this.#order++, time: this.#time };
  }

  async #send(browser: Browser, plan: Plan): Promise<void> {
    const open = this.#exchanges.filter((one) => one.browser === browser.number && isOpen(one));
    // Parallel first requests make sessions of their own, which is seldom of interest.
    const isVisitor = browser.jar === undefined && this.#random.percent(90);
    if (open.length >= OVERLAP) return;
    if (isVisitor && open.length + browser.responses.length > 0) return;
    await this.#start(browser.number, browser.jar, plan);
  }

  async #sendCopy(plan: Plan): Promise<void> {
    const good = this.#copies.filter(({ expiresAt }) => expiresAt * 1000 > this.#time - EXPIRED);
    if (good.length > 0) await this.#start(undefined, this.#random.pick(good), plan);
  }

  async #start(browser: number | undefined, token: Token | undefined, plan: Plan): Promise<void> {
    const instance = this.#random.pick(this.#instances);
    const number = this.#exchanges.length + 1;
    const { settings } = instance;
    const given = { number, browser, token, plan, settings, sent: this.#moment() };
    const exchange = createExchange(given, NO_EFFECTS);
    this.#exchanges.push(exchange);
    this.#trace(() => describeRequest(exchange, this.#copies));
    await this.#scheduler.start(exchange, async () => {
      await serve(exchange, instance, {
        moment: () => this.#moment(),
        pause: () => this.#scheduler.pause("handler"),
        mayPause: () => this.#random.percent(30),
        onOpen: (session) => this.#onOpen(exchange, session),
        onRetry: (code) => this.#trace(() => `${number} tries again after ${code}`),
      });
      this.#onAnswer(exchange);
    });
  }

  #onOpen(exchange: Exchange, session: Session<Values>): void {
    exchange.opened = this.#moment();
    exchange.found = exchange.looks.at(-1);
    exchange.isLive = !session.isNew && session.id === exchange.token?.id;
    exchange.seen = look(session);
    exchange.subjectSeen = session.subject;
    const { authenticatedAt } = session;
    exchange.authenticatedSeen = authenticatedAt && authenticatedAt.getTime() / 1000;
    this.#trace(() => describeOpened(exchange));
    this.#note(exchange, judgeOpen(this.#model, exchange));
  }

  #onReplace({ task, effects, made }: Call, replacement: Replacement): void {
    const exchange = isExchange(task) ? task : undefined;
    this.#trace(() => describeReplacement(exchange, replacement));
    if (exchange !== undefined && !replacement.answer) exchange.hadConflict = true;
    exchange?.tried.add(replacement.next);
    if (!replacement.isReplaced) return;
    this.#model.replace(replacement, made, this.#moment(), exchange, effects);
  }

  #onAnswer(exchange: Exchange): void {
    const moment = this.#moment();
    const { cookie, browser, failure } = exchange;
    if (typeof cookie === "object") this.#copies.push(cookie);
    this.#note(exchange, judgeAnswer(this.#model, exchange, moment));
    exchange.answered = moment;
    this.#trace(() => describeAnswer(exchange, this.#copies));
    if (failure !== undefined) return;
    this.#model.answer(exchange, moment);
    this.#note(exchange, judgeTimes(this.#model, exchange, moment));
    if (browser !== undefined) this.#browsers[browser]?.responses.push(exchange);
  }

  /** A response arrives, or is lost on its way. */
  #deliver(browser: Browser): void {
    if (browser.responses.length === 0) return;
    const exchange = this.#random.pick(browser.responses);
    browser.responses.splice(browser.responses.indexOf(exchange), 1);
    const isLost = this.#random.percent(12);
    this.#trace(() => `${exchange.number} ${isLost ? "lost" : "delivered"}`);
    if (isLost) return;
    this.#note(exchange, judgeDelivery(this.#model, exchange, browser.jar, this.#moment()));
    const { cookie } = exchange;
    if (cookie !== undefined) browser.jar = cookie === "deleted" ? undefined : cookie;
  }

  #createErrand(subject: string): Errand {
    return { subject, sent: this.#moment(), tokens: [...this.#copies], hadFault: false };
  }

  async #endAll(subject: string): Promise<void> {
    const errand = this.#createErrand(subject);
    const sessions = this.#random.pick(this.#instances).createProcess();
    this.#trace(() => `end all of ${subject}`);
    await this.#run(errand, "endAll", async () => {
      await sessions.endAll(subject);
      if (this.#model.hasNewGeneration(subject, errand.sent)) return [];
      return [{ fault: "missedEnd", text: "endAll changed no generation" }];
    });
  }

  async #list(subject: string): Promise<void> {
    const errand = this.#createErrand(subject);
    const { settings, createProcess } = this.#random.pick(this.#instances);
    this.#trace(() => `list of ${subject}`);
    await this.#run(errand, "list", async () => {
      const list = await createProcess().list(subject);
      const refs = new Set(list.map(({ ref }) => ref));
      return judgeList(this.#model, errand, refs, this.#time + settings.skew);
    });
  }

  /** Ends the session of a cookie that was sent before, if it is the subject's. */
  async #end(subject: string): Promise<void> {
    const errand = this.#createErrand(subject);
    const { settings, createProcess } = this.#random.pick(this.#instances);
    if (errand.tokens.length === 0) return;
    const token = this.#random.pick(errand.tokens);
    this.#trace(() => `end a session of ${subject}`);
    await this.#run(errand, "end", async () => {
      const isEnded = await createProcess().end(subject, token.id.slice(0, 12));
      return judgeEnd(this.#model, errand, token, isEnded, this.#time + settings.skew);
    });
  }

  /** Runs a call that is about a subject. It fails only if the store did. */
  async #run(errand: Errand, name: string, call: () => Promise<Iterable<Finding>>): Promise<void> {
    await this.#scheduler.start(errand, async () => {
      try {
        this.#note(undefined, await call());
        this.#trace(() => `${name} of ${errand.subject}: done`);
      } catch (error) {
        const code = codeOf(error);
        this.#trace(() => `${name} of ${errand.subject}: ${code}`);
        if (errand.hadFault && code === "ERR_SESSION_STORE") return;
        this.#note(undefined, [{ fault: "failed", text: `${name}: ${code}` }]);
      }
    });
  }

  /** Everybody reads: the browsers, and those who have a copy. */
  async #lookAround(): Promise<void> {
    for (const browser of this.#browsers) {
      await this.#start(browser.number, browser.jar, READ);
      await this.#scheduler.finish();
      while (browser.responses.length > 0) this.#deliver(browser);
    }
    for (let count = 0; count < COPIES; count++) {
      await this.#sendCopy(READ);
      await this.#scheduler.finish();
    }
    for (const subject of this.#hasList ? SUBJECTS : []) {
      await this.#list(subject);
      await this.#scheduler.finish();
    }
  }

  #note(exchange: Exchange | undefined, findings: Iterable<Finding>): void {
    for (const finding of findings) {
      const text = exchange === undefined ? finding.text : `${exchange.number}: ${finding.text}`;
      const noted = { ...finding, text };
      this.findings.push(noted);
      this.#trace(() => describeFinding(noted));
    }
  }
}

function isExchange(task: Task | undefined): task is Exchange {
  return task !== undefined && "number" in task;
}
