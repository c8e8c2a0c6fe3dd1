import process from "node:process";
import adapter from "@sveltejs/adapter-node";
import { sveltekit } from "@sveltejs/kit/vite";
import { defineConfig } from "vite";

// Without it the server takes itself for https://, and refuses the forms of a page on http://.
const paths = { origin: process.env["ORIGIN"] };

export default defineConfig({ plugins: [sveltekit({ adapter: adapter(), paths })] });
