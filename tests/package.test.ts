import { expect, test } from "bun:test";
import jsr from "../jsr.json" with { type: "json" };
import manifest from "../package.json" with { type: "json" };

test("jsr.json has the version and the exports of package.json", () => {
  const forms = Object.entries(manifest.exports);
  expect(Object.keys(jsr.exports)).toEqual(forms.map(([name]) => name));
  expect(Object.values(jsr.exports)).toEqual(forms.map(([, { bun }]) => bun));
  expect(jsr.version).toBe(manifest.version);
});

test.each(Object.entries(manifest.exports))("%s is one module in three forms", (_name, forms) => {
  const path = forms.bun.replace(/^\.\/session\/(.+)\.ts$/, "./dist/npm/$1");
  expect(forms).toEqual({ types: `${path}.d.ts`, bun: forms.bun, default: `${path}.js` });
  // The compiler looks for `types` first.
  expect(Object.keys(forms)).toEqual(["types", "bun", "default"]);
});
