import { h } from "../src/dom.js";
import { properties, typeLine } from "./openapi.js";

/** @typedef {import("./openapi.js").Schema} Schema */
/** @typedef {import("./openapi.js").Content} Content */

/** @param {import("./openapi.js").Operation} operation */
export function operationView(operation) {
  const { id, method, path, summary, description, parameters, requestBody, responses } = operation;
  return h(
    "article",
    { id },
    h("h3", {}, h("a", { href: `#${id}` }, h("b", { class: method }, method), h("code", {}, path))),
    summary ? h("p", {}, summary) : null,
    description ? h("p", { class: "prose" }, description) : null,
    parameters.length > 0 &&
      table(
        ["Parameter", "In", "Type", "Meaning"],
        parameters.map((parameter) => [
          name(parameter.name, parameter.required ?? false),
          parameter.in,
          type(parameter.schema),
          parameter.description ?? "",
        ]),
      ),
    requestBody ? h("div", {}, h("h4", {}, "Body"), ...bodies(requestBody.content)) : null,
    h("h4", {}, "Answers"),
    table(
      ["Status", "Meaning", "Body"],
      Object.entries(responses ?? {}).map(([status, response]) => [
        h("code", { class: `status s${status[0]}` }, status),
        response.description ?? "",
        h("span", {}, ...bodies(response.content)),
      ]),
    ),
  );
}

/**
 * @param {string} title
 * @param {Schema} schema
 */
export function schemaView(title, schema) {
  const rows = properties(schema);
  return h(
    "article",
    { id: `schema-${title}` },
    h("h3", {}, h("a", { href: `#schema-${title}` }, h("code", {}, title))),
    schema.description ? h("p", { class: "prose" }, schema.description) : null,
    rows.length > 0
      ? table(
          ["Field", "Type", "Meaning"],
          rows.map((row) => [name(row.name, row.required), type(row.schema), row.schema.description ?? ""]),
        )
      : h("p", {}, type(schema)),
  );
}

/** @param {import("./openapi.js").Code[]} codes */
export function errorTable(codes) {
  const rows = codes.map(({ code, status, title, advice }) =>
    h("tr", { id: `error-${code}` }, h("td", {}, h("code", {}, code)), h("td", {}, String(status)), h("td", {}, title), h("td", {}, advice)),
  );
  const head = h("thead", {}, h("tr", {}, ...["Code", "Status", "Meaning", "What to do"].map((text) => h("th", {}, text))));
  return h("section", { id: "errors" }, h("h2", {}, "Errors"), h("div", { class: "wide" }, h("table", {}, head, h("tbody", {}, ...rows))));
}

/** @param {Content | undefined} content */
function bodies(content) {
  return Object.entries(content ?? {}).map(([mediaType, { schema }]) =>
    h(
      "div",
      {},
      h("code", { class: "media" }, mediaType),
      " ",
      schema && !schema.$ref && properties(schema).length > 0
        ? table(
            ["Field", "Type", "Meaning"],
            properties(schema).map((row) => [name(row.name, row.required), type(row.schema), row.schema.description ?? ""]),
          )
        : type(schema),
    ),
  );
}

/** @param {Schema | undefined} schema */
function type(schema) {
  return h(
    "span",
    { class: "type" },
    ...typeLine(schema).map((part) => ("ref" in part ? h("a", { href: `#schema-${part.ref}` }, part.ref) : part.text)),
  );
}

/**
 * @param {string} text
 * @param {boolean} required
 */
function name(text, required) {
  return h("span", {}, h("code", {}, text), required ? null : h("small", {}, " optional"));
}

/**
 * @param {string[]} headings
 * @param {(string | Node)[][]} rows
 */
function table(headings, rows) {
  return h(
    "div",
    { class: "wide" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...headings.map((text) => h("th", {}, text)))),
      h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map((cell) => h("td", {}, cell))))),
    ),
  );
}
