import { answer, bodyCases } from "./bodies.ts";
import { cases, runCases } from "./cases.ts";
import { formatCases } from "./format_cases.ts";
import { serve } from "./serve.ts";

const server = await serve(answer);
console.log(
  JSON.stringify(await runCases([...cases, ...formatCases, ...bodyCases(server.origin)])),
);
await server.stop();
