import { createVerifier } from "madeleine/verify";
import { token } from "madeleine/testing";
import { KEY, OTHER_KEY, readsAs, setUp, signIn, textOf } from "./app.ts";
import { equal } from "./assert.ts";
import type { Case } from "./cases.ts";

/** The public keys of both secrets, as every process on every runtime publishes them. */
const PUBLISHED =
  '{"keys":[{"kty":"EC","crv":"P-256","x":"XBPhz9gFb-nhsihuzpLmVFYkUrgbctyU0K8L7R8VxNg",' +
  '"y":"Sr3JlAaraaBB2xlfo70jHT5UyuAiy7QXcu99RITsshA","kid":"sxG1t-0l","alg":"ES256",' +
  '"use":"sig"},{"kty":"EC","crv":"P-256","x":"QFuOlGPbnqfYLMsKekcGOdlrB0jkMCb3S1zU83YqWA8",' +
  '"y":"zHru3iEQX06O2FERskQ4zajDg83DaiiYF9mlMFL_2Oo","kid":"JytnOMZU","alg":"ES256",' +
  '"use":"sig"}]}';

const es256 = { algorithm: "ES256" } as const;
const encrypted = { encrypt: true } as const;

/** What holds of the formats that options choose. */
export const formatCases: readonly Case[] = [
  {
    name: "the public keys are the same bytes everywhere",
    async run() {
      const { sessions } = setUp({ ...es256, secretKeyFallbacks: OTHER_KEY });
      equal(JSON.stringify(await sessions.publicKeys()), PUBLISHED);
    },
  },
  {
    name: "a session of ES256 is signed, read, and verified with the public key",
    async run() {
      const { sessions, client } = setUp(es256);
      const text = await signIn(client);
      await readsAs(setUp(es256).client, text, "You are admin");
      const verifier = createVerifier<{ username: string }>({ keys: await sessions.publicKeys() });
      equal((await verifier.verify(text))?.get("username"), "admin");
      equal(await verifier.verify(await token({}, { secretKey: KEY })), undefined);
      await readsAs(setUp().client, text, "You are nobody");
    },
  },
  {
    name: "of the two signatures that are valid, the one with the low s is made",
    async run() {
      for (let count = 0; count < 16; count++) {
        const text = await token({}, { secretKey: KEY, ...es256 });
        const signature = text.slice(text.lastIndexOf(".") + 1);
        const bytes = atob(signature.replaceAll("-", "+").replaceAll("_", "/"));
        equal(bytes.charCodeAt(32) < 0x80, true);
        await readsAs(setUp(es256).client, text, "You are nobody");
      }
    },
  },
  {
    name: "an encrypted session is made, read, and ended",
    async run() {
      const { client } = setUp(encrypted);
      const text = await signIn(client);
      equal(text.split(".").length, 5);
      await readsAs(setUp(encrypted).client, text, "You are admin");
      equal(await textOf(client.get("/logout")), "You are nobody");
      await readsAs(client, text, "You are nobody");
    },
  },
  {
    name: "an encrypted session reads its encrypted record",
    async run() {
      const { client } = setUp({ ...encrypted, dataIn: "store" });
      const text = await signIn(client);
      await readsAs(client, text, "You are admin");
    },
  },
];
