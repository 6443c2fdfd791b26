import assert from "node:assert/strict";
import { test } from "node:test";
import { operationsByTag, properties, typeLine } from "../../docs/openapi.js";

const line = (/** @type {import("../../docs/openapi.js").Schema | undefined} */ schema) =>
  typeLine(schema)
    .map((part) => ("ref" in part ? `<${part.ref}>` : part.text))
    .join("");

test("operations stand under their tags, in the order of the document", () => {
  const info = { title: "T", version: "1" };
  const groups = operationsByTag({
    info,
    tags: [{ name: "second", description: "text" }, { name: "first" }, { name: "unused" }],
    paths: {
      "/a": { get: { tags: ["first"], operationId: "list" }, parameters: [{ name: "id", in: "path" }] },
      "/b/{id}": { delete: { tags: ["second"] }, post: {} },
    },
  });
  assert.deepEqual(groups.map(({ tag, operations }) => [tag, operations.map(({ id }) => id)]), [
    ["second", ["delete-b-id-"]],
    ["first", ["list"]],
    ["other", ["post-b-id-"]],
  ]);
  assert.equal(groups[0].description, "text");
  assert.equal(groups[1].operations[0].parameters[0].name, "id");
});

test("a schema is told in one line that names the schemas it refers to", () => {
  assert.equal(line({ $ref: "#/components/schemas/Message" }), "<Message>");
  assert.equal(line({ type: "array", items: { $ref: "#/components/schemas/User" } }), "array of <User>");
  assert.equal(line({ type: ["string", "null"], format: "uuid" }), "string (uuid) | null");
  assert.equal(line({ oneOf: [{ type: "null" }, { $ref: "#/x/Audio" }] }), "null | <Audio>");
  assert.equal(line({ type: "string", enum: ["a", "b"] }), '"a" | "b"');
  assert.equal(line({ properties: {} }), "object");
  assert.equal(line(undefined), "any");
});

test("the fields of a schema include those of its parts", () => {
  const schema = { properties: { a: {} }, required: ["a"], allOf: [{ properties: { b: {} } }, { $ref: "#/x/Y" }] };
  assert.deepEqual(properties(schema).map(({ name, required }) => [name, required]), [["a", true], ["b", false]]);
});
