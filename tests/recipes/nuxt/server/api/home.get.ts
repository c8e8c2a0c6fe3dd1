export default defineEventHandler((event) => homeOf(event));
