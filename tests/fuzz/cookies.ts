import { createSessions } from "../../session/mod.ts";
import { loggedIn } from "../support/browser.ts";
import { type Instance, KEY } from "../support/instance.ts";
import { identityOf } from "../support/page.ts";
import { requestText, Wire } from "../support/wire.ts";
import { createRandom } from "./random.ts";
import { type Effort, inParallel, Recorder, type Report } from "./report.ts";
import { mutate } from "./tokens.ts";

type Data = { username: string; note: string };

/** The status of an answer to who is logged in; nobody may get it. */
const ACCEPTED = 299;

/**
 * Mutated cookies, in this process: each goes through `handler` as a request's would, from the
 * `Cookie` header over the token's spelling, key and signature to the answer, with nothing left out.
 */
export async function fuzzCookies(effort: Effort): Promise<Report> {
  const random = createRandom(effort.seed);
  const recorder = new Recorder(effort);
  const sessions = createSessions<Data>({
    secretKey: KEY,
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
  const tokens: string[] = [];
  for (let user = 0; user < 64; user++) {
    const response = await login(new Request(`http://localhost/${user}`));
    const [, token = ""] = /^session=([^;]*);/.exec(response.headers.get("set-cookie") ?? "") ?? [];
    const cookie = `session=${token}`;
    const taken = await page(new Request("http://localhost/", { headers: { cookie } }));
    if (taken.status !== ACCEPTED) recorder.fail("a token of ours was not accepted", token);
    tokens.push(token);
  }
  while (recorder.next()) {
    const cookie = `session=${mutate({ tokens, secret: KEY }, random)}`;
    try {
      const answer = await page(new Request("http://localhost/", { headers: { cookie } }));
      if (answer.status === ACCEPTED) recorder.fail("accepted", cookie);
      if (answer.headers.has("set-cookie")) recorder.fail("set a cookie", cookie);
    } catch (error) {
      recorder.fail(`threw ${String(error)}`, cookie);
    }
  }
  return recorder.report("mutated cookies, in process");
}

const CONNECTIONS = 32;

/** Mutated cookies over HTTP, on connections that are kept. */
export async function fuzzCookiesOverHttp(effort: Effort, instance: Instance): Promise<Report> {
  const random = createRandom(effort.seed);
  const recorder = new Recorder(effort);
  const browsers = await Promise.all(
    Array.from({ length: 16 }, async (_, user) => loggedIn(instance.port, `user${user}`)),
  );
  const signed = {
    tokens: browsers.map(({ cookies }) => cookies.get("session") ?? ""),
    secret: KEY,
  };
  await inParallel(CONNECTIONS, async () => {
    let wire = await Wire.open(instance.port);
    while (recorder.next()) {
      const cookie = mutate(signed, random);
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
