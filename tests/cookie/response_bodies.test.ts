import { expect, test } from "bun:test";
import { withSession } from "../../session/cookie/response.ts";

const LINE = "id=1; Path=/; HttpOnly";

test("a body whose start was read keeps its cookie, and the rest is sent", async () => {
  const body = new ReadableStream({
    start(controller) {
      for (const text of ["one", "two"]) controller.enqueue(new TextEncoder().encode(text));
      controller.close();
    },
  });
  const response = new Response(body);
  const reader = response.body?.getReader();
  await reader?.read();
  reader?.releaseLock();
  const written = withSession(response, true, [LINE]);
  expect(written).toBe(response);
  expect(written.headers.getSetCookie()).toEqual([LINE]);
});

test.each<[string, () => Promise<Response> | Response]>([
  ["a data URL", () => fetch("data:text/plain,text")],
  ["an empty type", () => new Response("Grüße", { headers: { "content-type": "" } })],
])("the type of %s is as Bun sends it", async (_, make) => {
  using server = Bun.serve({
    port: 0,
    routes: {
      "/plain": make,
      "/written": async () => withSession(await make(), true, [LINE]),
    },
  });
  const [plain, written] = await Promise.all(
    ["/plain", "/written"].map(async (path) => fetch(new URL(path, server.url))),
  );
  expect(written?.headers.get("content-type")).toBe(plain?.headers.get("content-type") ?? null);
  expect(await written?.text()).toBe((await plain?.text()) ?? "");
});
