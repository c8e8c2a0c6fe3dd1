/** What the page shows is there before Vue renders it. */
export default defineEventHandler(async (event) => {
  if (event.path === "/") event.context["home"] = await homeOf(event);
});
