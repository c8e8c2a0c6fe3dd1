import { describe, expect, test } from "bun:test";
import { array, assert, constant, ipV4, ipV6, oneof, property, stringMatching } from "fast-check";
import { clientAddress, networksOf, parseTrustedProxies } from "../../../routes/shared/address.ts";
import { createLimit } from "../../../routes/shared/limit.ts";

const none = parseTrustedProxies("");
const proxies = parseTrustedProxies("127.0.0.1 10.0.0.0/8, 2001:db8:ffff::/48,::1");

describe("E10: whose request it is", () => {
  test.each<[string, string, string | null, string]>([
    ["a client without a proxy", "192.0.2.1", null, "192.0.2.1"],
    ["a client that invents an address", "192.0.2.1", "198.51.100.1", "192.0.2.1"],
    ["a client that invents a proxy", "192.0.2.1", "10.0.0.1", "192.0.2.1"],
    ["a proxy without the header", "10.0.0.1", null, "10.0.0.1"],
    ["a client behind a proxy", "10.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["a client behind two", "10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"],
    ["an address invented before a proxy", "10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"],
    ["a proxy invented before a proxy", "10.0.0.1", "10.0.0.9, 198.51.100.1", "198.51.100.1"],
    ["a proxy behind an untrusted one", "10.0.0.1", "10.0.0.2,198.51.100.1", "198.51.100.1"],
    ["a client that is itself trusted", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    [
      "no space, more space, a tab",
      "10.0.0.1",
      "1.1.1.1,\t198.51.100.1 ,  10.0.0.2",
      "198.51.100.1",
    ],
    ["a proxy that came as IPv6", "::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["a proxy listed as IPv6", "10.0.0.1", "198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"],
    ["an IPv6 proxy", "::1", "198.51.100.1", "198.51.100.1"],
    ["an IPv6 proxy of a network", "2001:db8:ffff::7", "198.51.100.1", "198.51.100.1"],
    [
      "an IPv6 neighbour of that network",
      "2001:db8:fffe::7",
      "198.51.100.1",
      "2001:db8:fffe:0::/64",
    ],
  ])("%s: %s, %j", (_, peer, forwardedFor, expected) => {
    expect(clientAddress(peer, forwardedFor, proxies)).toBe(expected);
  });

  test("without trusted proxies the header counts for nothing", () => {
    expect(clientAddress("127.0.0.1", "198.51.100.1", none)).toBe("127.0.0.1");
  });

  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"],
    ["::ffff:0.0.0.0", "0.0.0.0"],
    ["2001:db8:0:1::1", "2001:db8:0:1::/64"],
    ["2001:0DB8:0000:0001:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"],
    ["2001:db8:0:1:0:0:192.0.2.1", "2001:db8:0:1::/64"],
    ["2001:db8:0:2::1", "2001:db8:0:2::/64"],
    ["1::4:5:6:7:8", "1:0:0:4::/64"],
    ["::4:5:6:7:8", "0:0:0:4::/64"],
    ["1:2:3::", "1:2:3:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["0:0:0::0:0.0.0.0", "0:0:0:0::/64"],
    ["1:2:3:4:5:6:7::", "1:2:3:4::/64"],
    ["::192.0.2.1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::ffff:192.0.2.1%eth0", "192.0.2.1"],
    ["64:ff9b::192.0.2.1", "192.0.2.1"],
    ["0064:FF9B:0::c000:0201", "192.0.2.1"],
    ["64:ff9b:0:0:0:1:c000:201", "64:ff9b:0:0::/64"],
    ["64:ff9b:1::192.0.2.1", "64:ff9b:1:0::/64"],
  ])("%s counts as %s", (address, expected) => {
    expect(clientAddress(address, null, none)).toBe(expected);
    expect(clientAddress("10.0.0.1", address, proxies)).toBe(expected);
  });

  test.each([
    ["[2001:db8:0:1::1]", "2001:db8:0:1::/64"],
    ["[2001:db8:0:1::1]:443", "2001:db8:0:1::/64"],
    ["[fe80::1%eth0]:443", "fe80:0:0:0::/64"],
    ["[::ffff:192.0.2.1]:443", "192.0.2.1"],
    ["192.0.2.1:443", "192.0.2.1"],
    ["192.0.2.1:443, 10.0.0.2:8080", "192.0.2.1"],
    ["192.0.2.1:443, [::1]:8080", "192.0.2.1"],
  ])("an entry as proxies write it, %s, counts as %s", (entry, expected) => {
    expect(clientAddress("10.0.0.1", entry, proxies)).toBe(expected);
  });

  test.each([
    "",
    " ",
    ",",
    "unknown",
    "_hidden",
    "010.0.0.1",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "0x7f.0.0.1",
    "1.2.3.4:",
    "1.2.3.4:http",
    "1.2.3.4 5.6.7.8",
    "1.2.3.4/32",
    "2001:db8::1::1",
    "[2001:db8::1",
    "2001:db8::1]",
    "[2001:db8::1]443",
    "[]",
    "[]:443",
    "%eth0",
    "example.org",
    "http://1.2.3.4",
    '"1.2.3.4"',
    "１.2.3.4",
    "1.2.3.4\0",
    "for=1.2.3.4",
    "__proto__",
  ])("garbage, %j, ends the search at the proxy that wrote it", (entry) => {
    expect(clientAddress("10.0.0.1", entry, proxies)).toBe("10.0.0.1");
    expect(clientAddress("10.0.0.1", `198.51.100.1, ${entry}`, proxies)).toBe("10.0.0.1");
    expect(clientAddress("10.0.0.1", `${entry}, 10.0.0.2`, proxies)).toBe("10.0.0.2");
    expect(clientAddress("10.0.0.1", `${entry}, 198.51.100.1`, proxies)).toBe("198.51.100.1");
  });

  test.each(["", "unix", "1.2.3", "::ffff:1.2.3.4.5"])("a peer %j counts as it is", (peer) => {
    expect(clientAddress(peer, "198.51.100.1", proxies)).toBe(peer);
  });

  test("hostile headers never throw, and what counts is an address", () => {
    const letters = stringMatching(/^[\da-fF:.[\]%/, ]{0,45}$/);
    const entry = oneof(ipV4(), ipV6(), constant("10.0.0.2"), letters);
    assert(
      property(array(entry), (entries) => {
        const address = clientAddress("10.0.0.1", entries.join(","), proxies);
        expect(address).toMatch(/^(\d+\.){3}\d+$|^([\da-f]{1,4}:){4}:\/64$/);
      }),
    );
  });

  test("100 invented X-Forwarded-For values are one client", () => {
    const limit = createLimit({ rate: 10, now: () => 0 });
    const waits = Array.from({ length: 100 }, (_, i) =>
      limit.take([clientAddress("192.0.2.1", `198.51.100.${i}`, proxies)]),
    );
    expect(waits.filter((wait) => wait === 0).length).toBe(10);
  });

  test("100 addresses of one IPv6 network are one client", () => {
    const limit = createLimit({ rate: 10, now: () => 0 });
    const waits = Array.from({ length: 100 }, (_, i) =>
      limit.take([clientAddress(`2001:db8::${i}`, null, none)]),
    );
    expect(waits.filter((wait) => wait === 0).length).toBe(10);
  });
});

test.each([
  ["192.0.2.77", ["192.0.2.77", "192.0.2.64/28", "192.0.2.0/24"]],
  ["0.0.0.0", ["0.0.0.0", "0.0.0.0/28", "0.0.0.0/24"]],
  ["2001:db8:1:2345::/64", ["2001:db8:1:2345::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48"]],
  ["0:0:0:0::/64", ["0:0:0:0::/64", "0:0:0:0::/56", "0:0:0::/48"]],
  ["2001:db8:1:ff::/64", ["2001:db8:1:ff::/64", "2001:db8:1:0::/56", "2001:db8:1::/48"]],
  ["unknown", ["unknown"]],
  ["", [""]],
])("E10: an attempt of %s counts for %j", (address, networks) => {
  expect(networksOf(address)).toEqual(networks);
});

describe("TRUSTED_PROXIES", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1", true],
    ["192.0.2.1", "192.0.2.2", false],
    ["10.0.0.0/8", "10.255.255.255", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.1.2.3/8", "10.9.9.9", true],
    ["192.0.2.1/32", "192.0.2.1", true],
    ["192.0.2.1/32", "192.0.2.2", false],
    ["2001:db8::1", "2001:DB8:0::1", true],
    ["2001:db8::1", "2001:db8::2", false],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["2001:db8::1/128", "2001:db8::2", false],
    ["::ffff:192.0.2.1", "192.0.2.1", true],
    ["::ffff:192.0.2.1", "192.0.2.2", false],
    ["192.0.2.1,192.0.2.2", "192.0.2.2", true],
    ["192.0.2.1 192.0.2.2", "192.0.2.2", true],
    [" 192.0.2.1 ,\n\t192.0.2.2 ,", "192.0.2.2", true],
    ["", "192.0.2.1", false],
    [" , ", "192.0.2.1", false],
  ])("%j, %s: %p", (text, peer, isTrusted) => {
    const address = clientAddress(peer, "198.51.100.1", parseTrustedProxies(text));
    expect(address === "198.51.100.1").toBe(isTrusted);
  });

  test.each([
    "localhost",
    "*",
    "true",
    "10.0.0",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/08",
    "10.0.0.0/8.0",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0.0/255.0.0.0",
    "/8",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/129",
    "[::1]",
    "fe80::1%eth0",
    "127.0.0.1:80",
    "10.0.0.1;10.0.0.2",
  ])("%j is an error of one line that names it", (entry) => {
    const message = `Cannot use TRUSTED_PROXIES: ${JSON.stringify(entry)} `;
    expect(() => parseTrustedProxies(`192.0.2.1, ${entry}`)).toThrow(message);
    expect(() => parseTrustedProxies(entry)).not.toThrow("\n");
  });

  test.each([
    ["0.0.0.0/1", 8],
    ["128.0.0.0/1", 8],
    ["10.0.0.0/7", 8],
    ["::/1", 104],
    ["8000::/1", 16],
    ["2000::/3", 16],
    ["2000::/15", 16],
    ["::/16", 104],
    ["::/64", 104],
    ["0:0:0:0:1::/79", 104],
    ["::ffff:0.0.0.0/96", 104],
    ["::ffff:0:0/96", 104],
    ["::/80", 104],
    ["::ffff:a00:0/103", 104],
    ["::FFFF:10.0.0.0/97", 104],
    ["64:ff9b::/96", 104],
    ["64:ff9b::/32", 104],
    ["64::/16", 104],
    ["64:ff9b::10.0.0.0/103", 104],
    ["2002::/16", 24],
    ["2002:a00::/23", 24],
    ["2002::/3", 24],
  ])("%s is a network with clients in it: it must be at least a /%d", (entry, least) => {
    expect(() => parseTrustedProxies(`192.0.2.1, ${entry}`)).toThrow(
      `Cannot use TRUSTED_PROXIES: ${JSON.stringify(entry)} is too large, it must be at least a /${least}`,
    );
  });

  test.each([
    ["10.0.0.0/8", "10.255.0.1", "11.0.0.1"],
    ["::ffff:10.0.0.0/104", "10.255.0.1", "11.0.0.1"],
    ["::ffff:10.0.0.1/128", "10.0.0.1", "10.0.0.2"],
    ["2001::/16", "2001:db8::1", "2002::1"],
    ["2002:a00::/24", "2002:aff::1", "2002:b00::1"],
    ["64:ff9b::10.0.0.0/104", "64:ff9b::10.255.0.1", "64:ff9b::11.0.0.1"],
    ["64:ff9c::/32", "64:ff9c::1", "64:ff9b::10.0.0.1"],
    ["::1/128", "::1", "::2"],
    ["::1:0:0/96", "::1:0:1", "::2:0:1"],
    ["::fffe:0:0/96", "::fffe:10.0.0.1", "10.0.0.1"],
  ])("%s trusts %s and not %s", (entry, proxy, other) => {
    const trusted = parseTrustedProxies(entry);
    expect(clientAddress(proxy, "198.51.100.1", trusted)).toBe("198.51.100.1");
    expect(clientAddress(other, "198.51.100.1", trusted)).not.toBe("198.51.100.1");
  });
});
