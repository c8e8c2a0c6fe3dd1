import { describe, expect, spyOn, test } from "bun:test";
import { parseTrustedProxies } from "../../routes/shared/address.ts";
import { Browser, ORIGIN, readPage, testApp } from "../support/app.ts";
import { unescapeHTML } from "../support/page.ts";

const EMPTY = "Enter a username";
const LONG = "Enter a username of at most 100 characters";
const UNFIT = "Enter a username without invisible characters";
const OTHER = "Use this form to log in";
const LARGE = "The form was too long";

const encode = (text: string): string => `username=${encodeURIComponent(text)}`;

/** The form comes again with the message, and without a cookie. */
async function expectForm(response: Response, status: number, message: string): Promise<void> {
  expect([response.status, response.headers.getSetCookie()]).toEqual([status, []]);
  expect(await readPage(response)).toMatchObject({
    title: `Error: ${message} – Log in – Madeleine`,
    words: `Log in Username ${message} Log in`,
    targets: ["POST /login"],
  });
}

describe("E6: the form says what is wrong, and signs nobody in", () => {
  const bodies: readonly (readonly [body: string, status: number, message: string])[] = [
    ["", 400, EMPTY],
    ["username=", 400, EMPTY],
    ["username", 400, EMPTY],
    ["Username=admin", 400, EMPTY],
    ["username[]=admin", 400, EMPTY],
    ["username=%20%09%0D%0A", 400, EMPTY],
    ["username=%C2%A0%E3%80%80%EF%BB%BF", 400, EMPTY],
    [encode("a".repeat(101)), 400, LONG],
    [encode("😀".repeat(51)), 400, LONG],
    ["username=admin&username=mallory", 400, OTHER],
    ["username=admin&username=", 400, OTHER],
    ["username=%", 400, OTHER],
    ["username=100%&a=1", 400, OTHER],
    ["username=%zz", 400, OTHER],
    ["username=%u0061", 400, OTHER],
    [`username=admin${"&a=1".repeat(16)}`, 400, OTHER],
    ["username=%FF", 400, UNFIT],
    ["username=%C3%28", 400, UNFIT],
    ["username=%ED%A0%80", 400, UNFIT],
    ["username=%C0%AE", 400, UNFIT],
    ["username=%EF%BF%BD", 400, UNFIT],
    [`username=${"a".repeat(17_000)}`, 413, LARGE],
    [`username=admin&a=${"é".repeat(8200)}`, 413, LARGE],
  ];
  const cases = bodies.map(
    ([body, status, message]) => [body.slice(0, 40), status, message, body] as const,
  );
  test.each(cases)("%p is %d: %s", async (_start, status, message, body) => {
    const browser = new Browser(testApp().send);
    await expectForm(await browser.post("/login", body), status, message);
  });

  const controls = ["\0", "\r", "\n", "\r\n", "\t", "\b", "\u001B", "\u007F", "\u0085", "\u009B"];
  const separators = ["\u2028", "\u2029"];
  const marks = Array.from(
    "\u061C\u200E\u200F\u202A\u202B\u202C\u202D\u202E\u2066\u2067\u2068\u2069",
  );
  // Nothing to be seen: spaces without width, fillers, joiners, a soft hyphen, tags, selectors,
  // blank symbols and letters, marks without a shape, private and unassigned characters.
  const invisible = Array.from(
    "\u00AD\u034F\u115F\u1160\u17B4\u180B\u180E\u200B\u200C\u200D\u2060\u2064\u206A\u2800\u3164" +
      "\uFE00\uFE0F\uFEFF\uFFA0\uFFF9\uE000\uFFFE\u{110BD}\u{1BCA0}\u{1D159}\u{1D173}\u{E0001}\u{E0061}" +
      "\u{E0100}\u{F0000}\u{10FFFF}\u2D7F\u{1107F}\u{13440}\u{13441}\u{13442}\u{16FE4}",
  );
  const unfit = [...controls, ...separators, ...marks, ...invisible];
  test.each(unfit.map((character) => [encodeURIComponent(character), character] as const))(
    "%s within a name is 400",
    async (_name, character) => {
      const browser = new Browser(testApp().send);
      await expectForm(await browser.login(`ad${character}min`), 400, UNFIT);
    },
  );

  test.each(["\u3164", "\u2800\u2800", "\u{13441}", "\u0301", "\u0301 \u0302", "\u20DD"])(
    "a name of %p alone is 400",
    async (name) => {
      const browser = new Browser(testApp().send);
      await expectForm(await browser.login(name), 400, UNFIT);
    },
  );

  const types = [
    "",
    "text/plain",
    "application/json",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded-not",
    "application/x-www-form-urlencoded, text/plain",
    "text/plain; application/x-www-form-urlencoded",
  ];
  test.each(types)("content type %p is 415", async (type) => {
    const browser = new Browser(testApp().send);
    const response = await browser.post("/login", "username=admin", { "content-type": type });
    await expectForm(response, 415, OTHER);
  });

  test("a file part in place of the name is 415", async () => {
    const body = new FormData();
    body.set("username", new File(["admin"], "admin.txt"));
    const response = await new Browser(testApp().send).send("/login", { method: "POST", body });
    await expectForm(response, 415, OTHER);
  });

  test("raw bytes that are no UTF-8 are 400", async () => {
    const body = new Uint8Array([...Buffer.from("username="), 0xff, 0xfe]);
    const response = await new Browser(testApp().send).post("/login", body);
    await expectForm(response, 400, UNFIT);
  });

  test("no body at all is 400", async () => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const response = await new Browser(testApp().send).send("/login", { method: "POST", headers });
    await expectForm(response, 400, EMPTY);
  });

  test("who is logged in stays so", async () => {
    const browser = new Browser(testApp().send);
    await browser.login("admin");
    await expectForm(await browser.login(""), 400, EMPTY);
    expect(await browser.words("/")).toContain("Logged in as admin");
  });
});

/** The attributes of the page's field. */
async function fieldOf(response: Response): Promise<Record<string, string>> {
  const field: Record<string, string> = {};
  const rewriter = new HTMLRewriter().on("input", {
    element({ attributes }) {
      for (const [name = "", value = ""] of attributes) field[name] = unescapeHTML(value);
    },
  });
  await rewriter.transform(response).text();
  return field;
}

describe("the field", () => {
  const names = [
    "a".repeat(101),
    "  ",
    " ad\u200Bmin ",
    `"><b>${"a".repeat(100)}`,
    "&quot;\tb",
    "",
  ];
  test.each(names)("keeps %j, and is marked as wrong", async (typed) => {
    const field = await fieldOf(await new Browser(testApp().send).login(typed));
    expect(field).toMatchObject({
      value: typed,
      "aria-invalid": "true",
      "aria-describedby": "problem",
    });
  });

  test("is empty and right before a name was typed", async () => {
    const field = await fieldOf(await new Browser(testApp().send).get("/login"));
    expect(field["value"]).toBe("");
    expect(Object.keys(field).filter((name) => name.startsWith("aria-"))).toEqual([]);
  });
});

describe("the form takes", () => {
  const names: readonly (readonly [typed: string, taken: string])[] = [
    ["admin", "admin"],
    ["  admin\r\n", "admin"],
    ["a".repeat(100), "a".repeat(100)],
    ["漢".repeat(100), "漢".repeat(100)],
    ["\\\"'".repeat(33), "\\\"'".repeat(33)],
    ["😀".repeat(50), "😀".repeat(50)],
    ["100%25 + 1&a=b;", "100%25 + 1&a=b;"],
    ["José Ñandú", "José Ñandú"],
    ["עברית", "עברית"],
    ["__proto__", "__proto__"],
    ["constructor", "constructor"],
  ];
  test.each(names)("%s", async (typed, taken) => {
    const browser = new Browser(testApp().send);
    expect((await browser.login(typed)).status).toBe(303);
    expect(await browser.words("/")).toStartWith(`Logged in as ${taken} `);
  });

  const alike: readonly (readonly [typed: string, subject: string])[] = [
    ["Jose\u0301", "José"],
    ["José", "José"],
    ["A\u030Angstro\u0308m", "Ångström"],
    ["\u212B", "Å"],
    ["\u1112\u1161\u11AB", "한"],
    ["a  b", "a b"],
    ["a\u00A0b", "a b"],
    ["a\u3000\u2003b", "a b"],
    ["\u3000a\u00A0", "a"],
  ];
  test.each(alike)("%j as the user %j", async (typed, subject) => {
    const { send, lines } = testApp();
    const [one, other] = [new Browser(send), new Browser(send)];
    await one.login(typed);
    await other.login(subject);
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).toContain(`user=${JSON.stringify(subject)}`);
    await one.post("/logout/everywhere");
    expect(await other.words("/")).toContain("You are not logged in");
  });

  test("at most 100 characters, counted as they are kept", async () => {
    const browser = new Browser(testApp().send);
    expect((await browser.login("e\u0301".repeat(100))).status).toBe(303);
    expect((await browser.login("\u0958".repeat(51))).status).toBe(400);
  });

  test.each([
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded;charset=UTF-8",
    "Application/X-WWW-Form-Urlencoded ; charset=utf-8",
  ])("content type %s", async (type) => {
    const browser = new Browser(testApp().send);
    const response = await browser.post("/login", "username=admin", { "content-type": type });
    expect(response.status).toBe(303);
  });

  test("other fields beside the name", async () => {
    const browser = new Browser(testApp().send);
    await browser.post("/login", "a=1&username=admin&b=2&isAdmin=1");
    expect(await browser.words("/")).toContain("Logged in as admin");
  });
});

describe("E7: a name is text, whatever it says", () => {
  const payloads = [
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</p><p>",
    "<!--",
    "-->",
    "<![CDATA[x]]>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<b>bold</b>",
    "<style>*{display:none}</style>",
    "<base href=//evil>",
    "<meta http-equiv=refresh content=0>",
    "<form action=//evil><input>",
    "<iframe srcdoc='<b>'>",
    "<textarea>",
    "<plaintext>",
    "</main></body></html>",
    "&lt;b&gt;",
    "&#60;b&#62;",
    "&amp;amp;",
    "&notanentity;",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    "`${alert(1)}`",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "<",
    ">",
    "&",
    "\"'&<>",
    "%3Cb%3E",
    "＜script＞",
  ];
  const plain = ["html", "head", "meta", "meta", "title", "link", "style", "body", "main", "h1"];
  const links = ["form", "button", "form", "button", "p", "a"];
  const member = [...plain, ...links, "details", "summary", "dl"];
  for (const inner of ["time", "time", "time", "code", "code", "pre"])
    member.push("dt", "dd", inner);
  member.push("dt", "dd");

  test.each(payloads)("%s", async (name) => {
    const browser = new Browser(testApp().send);
    expect((await browser.login(name)).status).toBe(303);
    const page = await readPage(await browser.get("/"));
    expect(page.elements).toEqual(member);
    expect(page.words).toStartWith(`Logged in as ${name} click here`);
    expect(page.targets).toEqual(["POST /logout", "POST /logout/everywhere", "GET /account"]);
  });

  test("on the form too, when the name was refused", async () => {
    const response = await new Browser(testApp().send).login(`<b>${"a".repeat(100)}</b>`);
    const { elements } = await readPage(response);
    expect(elements).toEqual([...plain, "form", "label", "p", "input", "button"]);
  });
});

describe("E10: attempts are limited", () => {
  const { send } = testApp({
    loginRate: 3,
    trustedProxies: parseTrustedProxies("10.0.0.1 127.0.0.1"),
  });

  async function attempt(address: string | null, forwardedFor?: string): Promise<number> {
    const headers = new Headers({ "content-type": "application/x-www-form-urlencoded" });
    if (forwardedFor !== undefined) headers.set("x-forwarded-for", forwardedFor);
    const request = new Request(`${ORIGIN}/login`, { method: "POST", headers, body: "username=a" });
    const { status } = await send(request, {
      requestIP: () => (address === null ? null : { address }),
    });
    return status;
  }

  test("at a rate for each address, that X-Forwarded-For does not change", async () => {
    const attempts = [1, 2, 3, 4, 5].map((one) => `192.0.2.${one}`);
    const statuses = [];
    for (const forged of attempts) statuses.push(await attempt("192.0.2.10", forged));
    expect(statuses).toEqual([303, 303, 303, 429, 429]);
    expect(await attempt("192.0.2.11")).toBe(303);
  });

  test("at a rate for each client of a trusted proxy", async () => {
    const statuses = [];
    for (const client of ["a", "b", "c", "d"]) {
      statuses.push(await attempt("10.0.0.1", `${client}, 198.51.100.7`));
    }
    expect(statuses).toEqual([303, 303, 303, 429]);
    expect(await attempt("10.0.0.1", "198.51.100.8")).toBe(303);
  });

  test("at one rate for all whose address is not known, whatever X-Forwarded-For says", async () => {
    const statuses = [];
    for (const client of [1, 2, 3, 4]) statuses.push(await attempt(null, `198.51.100.${client}`));
    expect(statuses).toEqual([303, 303, 303, 429]);
  });

  test("at a rate for each IPv6 network of 64 bits", async () => {
    const statuses = [];
    for (const one of [1, 2, 3, 4]) statuses.push(await attempt(`2001:db8::${one}`));
    expect(statuses).toEqual([303, 303, 303, 429]);
    expect(await attempt("2001:db8:0:1::1")).toBe(303);
  });

  test("at 16 times the rate for an IPv6 network of 48 bits, and for an IPv4 one of 24", async () => {
    const { send } = testApp({ loginRate: 1 });
    async function allowedOf(addressOf: (index: number) => string): Promise<number> {
      let allowed = 0;
      for (let index = 0; index < 100; index++) {
        const browser = new Browser(async (request) =>
          send(request, { requestIP: () => ({ address: addressOf(index) }) }),
        );
        if ((await browser.login("admin")).status === 303) allowed++;
      }
      return allowed;
    }
    expect(await allowedOf((index) => `2001:db8:0:${(index * 256).toString(16)}::1`)).toBe(16);
    expect(await allowedOf((index) => `2001:db8:1:${index.toString(16)}::1`)).toBe(4);
    expect(await allowedOf((index) => `192.0.2.${index}`)).toBe(16);
  });

  test("with a page that says a second, not 1 seconds", async () => {
    const now = spyOn(performance, "now");
    try {
      now.mockReturnValue(0);
      const browser = new Browser(testApp({ loginRate: 1 }).send);
      await browser.login("admin");
      now.mockReturnValue(59_500);
      const response = await browser.login("admin");
      expect(response.headers.get("retry-after")).toBe("1");
      expect((await readPage(response)).words).toContain("Please wait a second, then try again.");
    } finally {
      now.mockRestore();
    }
  });

  test("with a page that says how long to wait, and pages that still can be read", async () => {
    const browser = new Browser(testApp({ loginRate: 1 }).send);
    await browser.login("admin");
    const response = await browser.login("mallory");
    const seconds = response.headers.get("retry-after");
    expect(Number(seconds)).toBeWithin(1, 61);
    expect([response.status, response.headers.getSetCookie()]).toEqual([429, []]);
    expect((await readPage(response)).words).toBe(
      `Too many login attempts Please wait ${seconds} seconds, then try again. Go to the start page`,
    );
    expect(await browser.words("/")).toContain("Logged in as admin");
  });
});
