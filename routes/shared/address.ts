import type { BlockList } from "node:net";

/** Who is trusted to say whose request it passes on. */
export interface TrustedProxies {
  check(address: string, family?: "ipv4" | "ipv6"): boolean;
}

const NOBODY: TrustedProxies = { check: () => false };

/** An address with brackets or a port, as proxies write it: `[v6]`, `[v6]:port` or `v4:port`. */
const WITH_PORT = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d+)?$/;

/**
 * The address that a request counts for: the peer's, unless that is a trusted proxy; then the
 * right-most entry of `X-Forwarded-For` that is not one, because each proxy appends who it took the
 * request from, and only what trusted ones appended is no invention of the client. An entry that is
 * no address ends the search at the proxy that wrote it. Never throws.
 *
 * @param peer the address at the other end of the connection.
 * @param forwardedFor the request's `X-Forwarded-For`; several lines of it joined by commas.
 * @param trustedProxies who is trusted, from `parseTrustedProxies`. An empty one trusts nobody.
 * @returns an IPv4 address as it is, also where it came as IPv6 (`::ffff:192.0.2.1`, or
 * `64:ff9b::192.0.2.1` from a translator); of an IPv6 address its network of 64 bits, because one
 * user has all of that, with every group written (`2001:db8:0:1::/64`); a peer that is no IP address
 * as it is.
 */
export function clientAddress(
  peer: string,
  forwardedFor: string | null,
  trustedProxies: TrustedProxies,
): string {
  let client = parseAddress(peer);
  if (client === undefined) return peer;
  for (const entry of forwardedFor?.split(",").toReversed() ?? []) {
    if (!trustedProxies.check(client, family(client))) break;
    const next = parseAddress(entry.trim());
    if (next === undefined) break;
    client = next;
  }
  return network(client);
}

/**
 * Reads the environment variable `TRUSTED_PROXIES`: IPv4 and IPv6 addresses, and networks such as
 * `10.0.0.0/8`, separated by spaces or commas. An empty text trusts nobody.
 *
 * @returns the proxies, as the runtime's list of addresses. (Its name, `BlockList`, is of another use:
 * here, who is on it is trusted.)
 * @throws {Error} with a message of one line, where an entry is neither, or where it is a network so
 * large that clients are in it, who could then invent their address: it must have a prefix of at
 * least 8 bits for IPv4, however that is written, and of 16 for IPv6.
 */
export function parseTrustedProxies(text: string): TrustedProxies {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== "");
  if (entries.length === 0) return NOBODY;
  const { BlockList } = net();
  const proxies = new BlockList();
  for (const entry of entries) addProxy(proxies, entry);
  return proxies;
}

/**
 * The networks that count an attempt to log in, the smallest first: of IPv6 a /64, a /56 and a /48,
 * of IPv4 the address, a /28 and a /24.
 *
 * @param address as `clientAddress` gives it. One that is no IP address is in no other network.
 */
export function networksOf(address: string): readonly string[] {
  if (address.endsWith("::/64")) {
    const [a, b, c, d = ""] = address.split(":");
    const site = Number.parseInt(d, 16) & 0xff00;
    return [address, `${a}:${b}:${c}:${site.toString(16)}::/56`, `${a}:${b}:${c}::/48`];
  }
  if (parseAddress(address) === undefined) return [address];
  const [a, b, c, d] = address.split(".");
  return [address, `${a}.${b}.${c}.${Number(d) & 0xf0}/28`, `${a}.${b}.${c}.0/24`];
}

function addProxy(proxies: BlockList, entry: string): void {
  const [address = "", prefix, ...rest] = entry.split("/");
  const bits = family(address) === "ipv4" ? 32 : 128;
  const isAddress = net().isIP(address) !== 0 && !address.includes("%") && rest.length === 0;
  const isPrefix =
    prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= bits);
  if (!isAddress || !isPrefix) {
    throw new Error(
      `Cannot use TRUSTED_PROXIES: ${JSON.stringify(entry)} must be an IP address or a network, ` +
        'such as "192.0.2.1", "10.0.0.0/8" or "2001:db8::/32"',
    );
  }
  const least = leastPrefix(address, Number(prefix ?? bits));
  if (prefix !== undefined && Number(prefix) < least) {
    throw new Error(
      `Cannot use TRUSTED_PROXIES: ${JSON.stringify(entry)} is too large, it must be at least ` +
        `a /${least}, or clients in it could invent their address`,
    );
  }
  proxies.addSubnet(address, Number(prefix ?? bits), family(address));
}

/** An IPv6 network that holds every IPv4 address, after its first `bits`. */
interface Translated {
  readonly groups: readonly number[];
  readonly bits: number;
}

/** `::ffff:0:0/96`: IPv4 on a socket of IPv6 (RFC 4291 §2.5.5.2). */
const MAPPED: Translated = { groups: [0, 0, 0, 0, 0, 0xffff, 0, 0], bits: 96 };
/** `64:ff9b::/96`: IPv4 behind a translator, NAT64 (RFC 6052 §2.1). */
const NAT64: Translated = { groups: [0x64, 0xff9b, 0, 0, 0, 0, 0, 0], bits: 96 };
/** `2002::/16`: networks of IPv6 that belong to an IPv4 address, 6to4 (RFC 3056 §2). */
const SIX_TO_FOUR: Translated = { groups: [0x2002, 0, 0, 0, 0, 0, 0, 0], bits: 16 };

/** The least bits that the prefix of such a network may have: /8 for IPv4, however it is written. */
function leastPrefix(address: string, prefix: number): number {
  if (family(address) === "ipv4") return 8;
  const groups = groupsOf(address);
  const translated = [MAPPED, NAT64, SIX_TO_FOUR].find((network) =>
    isSame(groups, network.groups, Math.min(Math.max(prefix, 16), network.bits)),
  );
  return translated === undefined ? 16 : translated.bits + 8;
}

/** Whether the first bits of two addresses are the same. */
function isSame(one: readonly number[], other: readonly number[], bits: number): boolean {
  return one.every((group, index) => {
    const unused = Math.min(16, Math.max(0, 16 * (index + 1) - bits));
    return group >> unused === (other[index] ?? 0) >> unused;
  });
}

/** The bare IP address of an entry, without brackets, port and zone; undefined where it is none. */
function parseAddress(entry: string): string | undefined {
  const parts = WITH_PORT.exec(entry);
  const [address = ""] = (parts?.[1] ?? parts?.[2] ?? entry).split("%");
  return net().isIP(address) === 0 ? undefined : address;
}

/** Loaded by the first who asks, because it takes longer than the rest of the server's start. */
function net() {
  return process.getBuiltinModule("node:net");
}

function family(address: string): "ipv4" | "ipv6" {
  return address.includes(":") ? "ipv6" : "ipv4";
}

/** What one user has: an IPv4 address, or the network that an IPv6 address's first 64 bits name. */
function network(address: string): string {
  if (family(address) === "ipv4") return address;
  const groups = groupsOf(address);
  if ([MAPPED, NAT64].some((network) => isSame(groups, network.groups, network.bits))) {
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 255])
      .join(".");
  }
  const first = groups.slice(0, 4).map((group) => group.toString(16));
  return `${first.join(":")}::/64`;
}

/**
 * The eight numbers of an IPv6 address that `isIP` accepted. Not read through `URL`, which throws
 * for some of those in Bun 1.4 (`0:0:0::0:0.0.0.0`), and the address may come from a client.
 */
function groupsOf(address: string): number[] {
  const [head = [], tail = []] = address
    .split("::")
    .map((side) => (side === "" ? [] : side.split(":").flatMap(numbersOf)));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => 0);
  return [...head, ...zeros, ...tail];
}

/** A group's number, or the two that an IPv4 address takes the place of. */
function numbersOf(group: string): number[] {
  if (!group.includes(".")) return [Number.parseInt(group, 16)];
  const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
  return [a * 256 + b, c * 256 + d];
}
