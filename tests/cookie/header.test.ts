import { describe, expect, test } from "bun:test";
import { type CookieOptions, createCookie } from "../../session/cookie/attributes.ts";
import {
  COOKIE_LIMIT,
  cookieValues,
  deleteCookie,
  setCookie,
} from "../../session/cookie/header.ts";

const NAME = "__Host-Http-session";

describe("a Set-Cookie line, to the letter", () => {
  test.each<[string, CookieOptions | undefined, number | undefined]>([
    ["__Host-Http-session=v; Path=/; HttpOnly; Secure; SameSite=Lax", undefined, undefined],
    ["__Host-Http-session=v; Max-Age=600; Path=/; HttpOnly; Secure; SameSite=Lax", {}, 600],
    [
      "session=v; Path=/; HttpOnly; SameSite=Strict",
      { secure: false, sameSite: "Strict" },
      undefined,
    ],
    ["session=v; Max-Age=1; Path=/a/b; HttpOnly; Secure; SameSite=Lax", { path: "/a/b" }, 1],
    [
      "__Secure-id=v; Path=/a; Domain=example.com; HttpOnly; Secure; SameSite=None; Partitioned",
      {
        name: "__Secure-id",
        path: "/a",
        domain: "example.com",
        sameSite: "None",
        partitioned: true,
      },
      undefined,
    ],
  ])("A1 A2 A3 %s", (line, options, maxAge) => {
    expect(setCookie(createCookie(options), "v", maxAge).line).toBe(line);
  });

  test.each<[string, CookieOptions | undefined]>([
    [
      "__Host-Http-session=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; Secure; SameSite=Lax",
      undefined,
    ],
    [
      "id=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/a; Domain=example.com; HttpOnly; Secure; SameSite=None; Partitioned",
      { name: "id", path: "/a", domain: "example.com", sameSite: "None", partitioned: true },
    ],
  ])("A8 deletes with the attributes it was set with: %s", (line, options) => {
    expect(deleteCookie(createCookie(options)).line).toBe(line);
  });

  test("A5 counts 4,096 bytes for name and value", () => {
    expect(COOKIE_LIMIT).toBe(4096);
  });
});

describe("a Cookie header", () => {
  test.each<[string, string, string[]]>([
    ["nothing", "", []],
    ["one cookie", `${NAME}=v`, ["v"]],
    ["the first of two", `${NAME}=v; b=1`, ["v"]],
    ["the last of two", `b=1; ${NAME}=v`, ["v"]],
    ["no space after the semicolon", `b=1;${NAME}=v;c=2`, ["v"]],
    ["B2 two of the name, in their order", `${NAME}=v; ${NAME}=w`, ["v", "w"]],
    ["an empty value", `${NAME}=`, [""]],
    ["an empty value among others", `a=1; ${NAME}=; b=2`, [""]],
    ["a value with equals signs", `${NAME}=a=b==`, ["a=b=="]],
    ["a value that holds the name", `${NAME}=${NAME}=v`, [`${NAME}=v`]],
    ["another's value that holds the name", `a=${NAME}=v`, []],
    ["another's value that ends with the name", `a= ${NAME}=v`, []],
    ["blanks about a pair", ` \t ${NAME}=v \t; b=1`, ["v"]],
    ["blanks about the value", `${NAME}= \t v \t `, ["v"]],
    ["a value of blanks", `${NAME}= \t `, [""]],
    ["the name without an equals sign", `${NAME}; b=1`, []],
    ["B3 empty pairs", `;;; ; ${NAME}=v;;`, ["v"]],
    ["B3 a cookie without a name", `=x; ${NAME}=v`, ["v"]],
    ["B3 a quote that is never closed", `a="b; ${NAME}=v`, ["v"]],
    ["B3 commas, which separate nothing", `a=1, ${NAME}=v`, []],
    ["B3 a comma in the value", `${NAME}=v,w`, ["v,w"]],
    ["B4 an encoded value, as it is", `${NAME}=%65yJ%2e`, ["%65yJ%2e"]],
    ["B4 a quoted value, as it is", `${NAME}="v"`, [`"v"`]],
    ["B4 an escape in quotes, as it is", `${NAME}="\\166"`, [`"\\166"`]],
  ])("%s", (_, header, values) => {
    expect(cookieValues(header, NAME)).toEqual(values);
  });

  test.each([
    ["another case", `__host-http-session=v`],
    ["a no-break space before it", `\u00a0${NAME}=v`],
    ["a no-break space after it", `${NAME}\u00a0=v`],
    ["a line separator", `\u2028${NAME}=v`],
    ["an ideographic space", `\u3000${NAME}=v`],
    ["a byte order mark", `\ufeff${NAME}=v`],
    ["a NUL", `\0${NAME}=v`],
    ["a NUL after it", `${NAME}\0=v`],
    ["a vertical tab", `\v${NAME}=v`],
    ["a form feed", `\f${NAME}=v`],
    ["a carriage return", `\r${NAME}=v`],
    ["a space after it", `${NAME} =v`],
    ["a tab after it", `${NAME}\t=v`],
    ["percent-encoding", `__%48ost-Http-session=v`],
    ["an encoded equals sign", `${NAME}%3Dv`],
    ["dots for dashes", `__Host.Http.session=v`],
    ["brackets", `__Host-Http-session[]=v`],
    ["PHP's bracket for an underscore", `_[Host-Http-session=v`],
    ["quotes", `"${NAME}"=v`],
    ["a leading equals sign", `=${NAME}=v`],
    ["$Version", `$Version=1,${NAME}=v`],
    ["a longer name", `x${NAME}=v`],
    ["the name with a suffix", `${NAME}2=v`],
    ["the name without its prefix", `session=v`],
    ["a backslash", `a\\; b\\${NAME}=v`],
  ])("B1 a name that is confusable with ours by %s is not ours", (_, header) => {
    expect(cookieValues(header, NAME)).toEqual([]);
    expect(cookieValues(`${header}; ${NAME}=good`, NAME)).toEqual(["good"]);
  });

  test("B1 a dot or another sign in the name stands for itself alone", () => {
    expect(cookieValues("axb=1; a.b=2", "a.b")).toEqual(["2"]);
    expect(cookieValues("a+b=1; ab=2", "a+b")).toEqual(["1"]);
  });

  test.each(["__proto__", "constructor", "toString", "hasOwnProperty"])(
    "B6 a cookie called %s has no effect",
    (name) => {
      expect(cookieValues(`${name}=x; ${NAME}=v`, NAME)).toEqual(["v"]);
      expect(cookieValues("a=1", name)).toEqual([]);
      expect(Reflect.get({}, "x")).toBeUndefined();
    },
  );

  test.each([
    ["a=;"],
    [";"],
    ["\\"],
    [`"`],
    [" "],
    [`${NAME}=`],
    [`;${NAME}=`],
    [`${NAME}= `],
    [` ${NAME}=`],
  ])("B7 4 MB of %j are read, which takes for ever where the cost is not linear", (piece) => {
    const header = piece.repeat(Math.ceil(4_194_304 / piece.length));
    expect(cookieValues(`${header};${NAME}=token`, NAME).at(-1)).toBe("token");
  });
});
