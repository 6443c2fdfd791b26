import { fill, h } from "../src/dom.js";
import { operationsByTag } from "./openapi.js";
import { errorTable, operationView, schemaView } from "./views.js";

const reference = /** @type {HTMLElement} */ (document.getElementById("reference"));
const contents = /** @type {HTMLElement} */ (document.getElementById("contents"));

try {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error(`status ${response.status}`);
  show(await response.json());
} catch (error) {
  fill(reference, h("p", { class: "error", role: "alert" }, `The reference could not be loaded: ${error instanceof Error ? error.message : error}`));
}

/** @param {import("./openapi.js").OpenApi} api */
function show(api) {
  document.title = `${api.info.title} ${api.info.version}`;
  const tags = operationsByTag(api);
  const schemas = Object.entries(api.components?.schemas ?? {}).sort(([a], [b]) => a.localeCompare(b));
  const codes = api["x-error-codes"] ?? [];
  fill(
    contents,
    h("a", { class: "title", href: "/" }, "Voxpost"),
    ...tags.map(({ tag, operations }) =>
      h(
        "section",
        {},
        h("h2", {}, h("a", { href: `#tag-${tag}` }, tag)),
        h("ul", {}, ...operations.map(({ id, method, path }) => h("li", {}, h("a", { href: `#${id}` }, h("b", { class: method }, method), path)))),
      ),
    ),
    codes.length > 0 && h("h2", {}, h("a", { href: "#errors" }, "Errors")),
    h("h2", {}, h("a", { href: "#schemas" }, "Schemas")),
  );
  fill(
    reference,
    h("h1", {}, api.info.title, " ", h("small", {}, api.info.version)),
    api.info.description ? h("p", { class: "prose" }, api.info.description) : null,
    h("p", {}, "Machine readable: ", h("a", { href: "/openapi.json" }, "/openapi.json")),
    ...tags.map(({ tag, description, operations }) =>
      h(
        "section",
        { id: `tag-${tag}` },
        h("h2", {}, tag),
        description ? h("p", { class: "prose" }, description) : null,
        ...operations.map((operation) => operationView(operation)),
      ),
    ),
    codes.length > 0 && errorTable(codes),
    h("section", { id: "schemas" }, h("h2", {}, "Schemas"), ...schemas.map(([name, schema]) => schemaView(name, schema))),
  );
  // The page was empty when the browser looked for the place that the address names.
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}
