/** What of a request's target may be shown: its query may hold secrets. A leaf. */

/** The target without its query. */
export function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}
