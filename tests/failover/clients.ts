import { PLACES, type Place, type Seen } from "./instance.ts";

/** A session as its browser knows it. What was acknowledged has the time of its answer. */
export interface Visit {
  readonly user: string;
  readonly place: Place;
  /** Every cookie that the browser had, the oldest first. */
  readonly cookies: string[];
  /** When the login and then each change was acknowledged. Change number n sets the count to n. */
  readonly acknowledged: number[];
  /** How many changes were asked for. */
  asked: number;
  /** When the logout was acknowledged. */
  ended: number | undefined;
  isEndAsked: boolean;
}

export interface History {
  readonly visits: readonly Visit[];
  /** When a request failed: an answer of 5xx, or none. */
  readonly failures: readonly number[];
}

/** Browsers that sign in, change and sign out until they are stopped. */
export interface Clients {
  /** How many logouts were acknowledged after that time. */
  logoutsSince(time: number): number;
  stop(): Promise<History>;
}

const BROWSERS = 16;
/** In milliseconds, between two requests of one browser. */
const PAUSE = 4;
/** In milliseconds, until somebody who saw an error tries again. */
const SECOND_TRY = 300;
const CHANGES = 4;

/** What a request of the browser brought: its acknowledgement's cookie, or undefined. */
type Ask = (path: string, cookie: string) => Promise<string | undefined>;

export function startClients(origins: readonly string[]): Clients {
  const visits: Visit[] = [];
  const failures: number[] = [];
  const stopping = new AbortController();
  let requests = 0;

  /** One request, to the next instance. The new cookie if it was acknowledged, else undefined. */
  const ask: Ask = async (path, cookie) => {
    requests += 1;
    const response = await send(origins[requests % origins.length] ?? "", path, cookie, "POST");
    const line = response?.headers.getSetCookie()[0];
    if (response === undefined || response.status >= 500) failures.push(performance.now());
    if (response?.status !== 200 && response?.status !== 303) return undefined;
    return line?.split(";")[0];
  };

  /** As somebody does who gets an error: asks once more. */
  const askTwice: Ask = async (path, cookie) => {
    await Bun.sleep(PAUSE);
    const answer = await ask(path, cookie);
    if (answer !== undefined || stopping.signal.aborted) return answer;
    await Bun.sleep(SECOND_TRY);
    return ask(path, cookie);
  };

  async function browse(): Promise<void> {
    while (!stopping.signal.aborted) {
      const place = PLACES[visits.length % 2] ?? "cookie";
      await visit(askTwice, place, visits);
    }
  }

  const browsers = Array.from({ length: BROWSERS }, browse);
  return {
    logoutsSince: (time) => visits.filter(({ ended = 0 }) => ended > time).length,
    async stop() {
      stopping.abort();
      await Promise.all(browsers);
      return { visits, failures };
    },
  };
}

/** A login, some changes, and for every other user a logout. The first failure ends it. */
async function visit(ask: Ask, place: Place, visits: Visit[]): Promise<void> {
  const user = `user-${visits.length}`;
  const visit: Visit = {
    user,
    place,
    cookies: [],
    acknowledged: [],
    asked: 0,
    ended: undefined,
    isEndAsked: false,
  };
  visits.push(visit);
  const keep = (cookie: string | undefined): boolean => {
    if (cookie === undefined) return false;
    visit.cookies.push(cookie);
    visit.acknowledged.push(performance.now());
    return true;
  };
  const newest = (): string => visit.cookies.at(-1) ?? "";
  if (!keep(await ask(`/${place}/login?user=${user}`, ""))) return;
  while (visit.asked < CHANGES) {
    visit.asked += 1;
    if (!keep(await ask(`/${place}/change?count=${visit.asked}`, newest()))) return;
  }
  if (visits.length % 4 < 2) return;
  visit.isEndAsked = true;
  if ((await ask(`/${place}/logout`, newest())) !== undefined) visit.ended = performance.now();
}

/** Undefined where there is no answer. */
async function send(
  origin: string,
  path: string,
  cookie: string,
  method: "GET" | "POST",
): Promise<Response | undefined> {
  try {
    const response = await fetch(origin + path, {
      method,
      headers: { cookie },
      redirect: "manual",
      signal: AbortSignal.timeout(5000),
    });
    if (method === "POST") await response.text();
    return response;
  } catch {
    return undefined;
  }
}

const parse: (text: string) => Seen = JSON.parse;

/** What an instance shows to a browser with this cookie. Throws if it keeps failing. */
export async function look(origin: string, place: Place, cookie: string): Promise<Seen> {
  for (let tries = 0; tries < 100; tries += 1) {
    const response = await send(origin, `/${place}/`, cookie, "GET");
    if (response?.status === 200) return parse(await response.text());
    await Bun.sleep(100);
  }
  throw new Error("Cannot read a session: the instance keeps failing");
}
