import type { Session, Sessions } from "../../session/mod.ts";
import { createHands, type Values } from "./effects.ts";
import { type Exchange, type Moment, readCookie } from "./exchange.ts";
import { COOKIE, type Instance } from "./instance.ts";

/** What the world does around a request that is served. */
export interface ServeHooks {
  readonly moment: () => Moment;
  /** Waits for something that takes any time. */
  readonly pause: () => Promise<void>;
  /** Whether a handler whose commit failed waits before it tries again. */
  readonly mayPause: () => boolean;
  readonly onOpen: (session: Session<Values>) => void;
  readonly onRetry: (code: string) => void;
}

type Hands = ReturnType<typeof createHands>;

/** Serves a request in a process of the instance, and notes in the exchange what came of it. */
export async function serve(
  exchange: Exchange,
  { createProcess, idle }: Instance,
  hooks: ServeHooks,
): Promise<void> {
  const sessions = idle.pop() ?? createProcess();
  const { plan, token } = exchange;
  const headers = token === undefined ? {} : { cookie: `${COOKIE}=${token.text}` };
  const request = new Request("http://localhost/", { headers });
  const handler = sessions.handler(async (_request: Request, session) => {
    await handle(exchange, sessions, session, hooks);
    return new Response();
  });
  try {
    const response =
      plan.retries === 0
        ? await handler(request)
        : await serveByHalves(exchange, sessions, request, hooks);
    if (response.status !== 200) exchange.failure = "ERR_SESSION_STORE";
    exchange.cookie = readCookie(response);
  } catch (error) {
    exchange.failure = codeOf(error);
  }
  idle.push(sessions);
}

/** Opens and commits on its own, and commits again where that fails. */
async function serveByHalves(
  exchange: Exchange,
  sessions: Sessions<Values>,
  request: Request,
  hooks: ServeHooks,
): Promise<Response> {
  const session = await sessions.open(request);
  const perform = await handle(exchange, sessions, session, hooks);
  for (let tries = exchange.plan.retries; ; tries--) {
    try {
      return await sessions.commit(session, new Response());
    } catch (error) {
      if (tries === 0) throw error;
      hooks.onRetry(codeOf(error));
      if (hooks.mayPause()) await hooks.pause();
      exchange.effects = perform(exchange.plan.again);
      exchange.handled = hooks.moment();
    }
  }
}

async function handle(
  exchange: Exchange,
  sessions: Sessions<Values>,
  session: Session<Values>,
  { moment, pause, onOpen }: ServeHooks,
): Promise<Hands> {
  onOpen(session);
  for (let pauses = exchange.plan.pauses; pauses > 0; pauses--) await pause();
  const perform = createHands(sessions, session, exchange.number);
  exchange.effects = perform(exchange.plan.operations);
  exchange.handled = moment();
  return perform;
}

/** The stable code of an error of ours, or what another one says. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
