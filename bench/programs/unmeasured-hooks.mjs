// Changes one call of src/instance/serve.ts; runs in the thread that Node has for this.
const CALL = "trackConnections(app.server)";

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  if (!url.endsWith("/dist/src/instance/serve.js")) return loaded;
  const source = String(loaded.source);
  if (!source.includes(CALL)) throw new Error(`There is no ${CALL} in ${url} any more`);
  return { ...loaded, source: source.replace(CALL, "trackConnections(app.server, { measure: false })") };
}
