import { createSessions, type MaybePromise } from "../../session/mod.ts";
import { token as foreignToken } from "../../session/testing/mod.ts";
import { loggedIn } from "../support/browser.ts";
import { type Instance, KEY } from "../support/instance.ts";
import { identityOf } from "../support/page.ts";
import { requestText, Wire } from "../support/wire.ts";
import { createRandom } from "./random.ts";
import { type Effort, inParallel, Recorder, type Report } from "./report.ts";
import { HS256, remakerOf, type TokenFormat } from "./formats.ts";
import { type Made, mutate } from "./tokens.ts";

type Data = { username: string; note: string };

/** The status of an answer to who is logged in; nobody may get it. */
const ACCEPTED = 299;

/**
 * Mutated cookies, in this process: each goes through `handler` as a request's would, from the
 * `Cookie` header over the token's spelling, key and signature to the answer, with nothing left out.
 */
export async function fuzzCookies(effort: Effort, format: TokenFormat = HS256): Promise<Report> {
  const random = createRandom(effort.seed);
  const recorder = new Recorder(effort);
  const options = { secretKey: KEY, ...format.options };
  const sessions = createSessions<Data>({
    ...options,
    cookie: { secure: false },
    onEvent: (event) => recorder.add(event.type === "rejected" ? event.reason : event.type),
  });
  const page = sessions.handler(
    (_request, session) => new Response(null, { status: session.isNew ? 200 : ACCEPTED }),
  );
  const login = sessions.handler((request, session) => {
    session.signIn(request.url);
    session.set("username", request.url);
    session.set("note", "a".repeat(random.below(300)) + request.url);
    session.permanent = random.below(2) === 0;
    return new Response();
  });
  const ask = (token: string): MaybePromise<Response> =>
    page(new Request("http://localhost/", { headers: { cookie: `session=${token}` } }));
  const tokens: string[] = [];
  for (let user = 0; user < 64; user++) {
    const response = await login(new Request(`http://localhost/${user}`));
    const [, token = ""] = /^session=([^;]*);/.exec(response.headers.get("set-cookie") ?? "") ?? [];
    if ((await ask(token)).status !== ACCEPTED)
      recorder.fail("one of ours was not accepted", token);
    tokens.push(token);
    const other = await foreignToken({}, { ...options, cookie: { name: `session${user}` } });
    if ((await ask(other)).status === ACCEPTED)
      recorder.fail("another cookie's was accepted", other);
  }
  const made: Made = { tokens, format, remake: await remakerOf(format, KEY, "session") };
  while (recorder.next()) {
    const token = mutate(made, random);
    try {
      const answer = await ask(token);
      if (answer.status === ACCEPTED) recorder.fail("accepted", token);
      if (answer.headers.has("set-cookie")) recorder.fail("set a cookie", token);
    } catch (error) {
      recorder.fail(`threw ${String(error)}`, token);
    }
  }
  return recorder.report(`mutated cookies of ${format.name}, in process`);
}

const CONNECTIONS = 32;

/** Mutated cookies over HTTP, on connections that are kept. */
export async function fuzzCookiesOverHttp(effort: Effort, instance: Instance): Promise<Report> {
  const random = createRandom(effort.seed);
  const recorder = new Recorder(effort);
  const browsers = await Promise.all(
    Array.from({ length: 16 }, async (_, user) => loggedIn(instance.port, `user${user}`)),
  );
  const made: Made = {
    tokens: browsers.map(({ cookies }) => cookies.get("session") ?? ""),
    format: HS256,
    remake: await remakerOf(HS256, KEY, "session"),
  };
  await inParallel(CONNECTIONS, async () => {
    let wire = await Wire.open(instance.port);
    while (recorder.next()) {
      const cookie = mutate(made, random);
      wire.write(requestText("GET /", [`Cookie: session=${cookie}`]));
      const answer = await wire.answer();
      recorder.add(`answered ${answer?.status ?? "nothing"}`);
      if (answer?.status !== 200) recorder.fail("not answered with 200", cookie);
      else if (identityOf(answer.body) !== null) recorder.fail("accepted", cookie);
      if (wire.isClosed) wire = await Wire.open(instance.port);
    }
    wire.destroy();
  });
  return recorder.report("mutated cookies, over HTTP");
}
