import { expect, test } from "bun:test";
import jsr from "../jsr.json" with { type: "json" };
import manifest from "../package.json" with { type: "json" };

/** The source of a module in the package. */
function sourceOf(path: string): string {
  return path.replace(/^\.\/dist\/npm\/(.+)\.js$/, "./session/$1.ts");
}

test("jsr.json has the version and the exports of package.json", () => {
  const forms = Object.entries(manifest.exports);
  expect(Object.keys(jsr.exports)).toEqual(forms.map(([name]) => name));
  expect(Object.values(jsr.exports)).toEqual(forms.map(([, form]) => sourceOf(form.default)));
  expect(jsr.version).toBe(manifest.version);
});

test.each(Object.entries(manifest.exports))("%s is one module with its types", (_name, forms) => {
  expect(forms).toEqual({
    types: forms.default.replace(/\.js$/, ".d.ts"),
    default: forms.default,
  });
  // The compiler looks for `types` first.
  expect(Object.keys(forms)).toEqual(["types", "default"]);
});
