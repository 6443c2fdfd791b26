/**
 * Reading an OpenAPI 3.1 document: only what the page shows of it.
 *
 * @typedef {{ $ref?: string, type?: string | string[], format?: string, description?: string, enum?: unknown[], items?: Schema,
 *   properties?: Record<string, Schema>, required?: string[], allOf?: Schema[], oneOf?: Schema[], anyOf?: Schema[],
 *   const?: unknown, additionalProperties?: boolean | Schema, prefixItems?: Schema[] }} Schema
 * @typedef {Record<string, { schema?: Schema }>} Content
 * @typedef {{ name: string, in: string, required?: boolean, description?: string, schema?: Schema }} Parameter
 * @typedef {object} RawOperation
 * @property {string[]} [tags]
 * @property {string} [operationId]
 * @property {string} [summary]
 * @property {string} [description]
 * @property {Parameter[]} [parameters]
 * @property {{ content?: Content, description?: string }} [requestBody]
 * @property {Record<string, { description?: string, content?: Content }>} [responses]
 * @property {unknown[]} [security]
 * @typedef {{ code: string, status: number, title: string, advice: string }} Code
 * @typedef {object} OpenApi
 * @property {{ title: string, version: string, description?: string }} info
 * @property {{ name: string, description?: string }[]} [tags]
 * @property {Record<string, Record<string, any>>} paths
 * @property {{ schemas?: Record<string, Schema> }} [components]
 * @property {Code[]} [x-error-codes]
 * @typedef {RawOperation & { id: string, method: string, path: string, parameters: Parameter[] }} Operation
 */

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];

/**
 * The operations under their tags: tags in the order of the document, then those that it does not list.
 * @param {OpenApi} api
 */
export function operationsByTag(api) {
  const described = new Map((api.tags ?? []).map(({ name, description }) => [name, description]));
  /** @type {Map<string, Operation[]>} */
  const groups = new Map([...described.keys()].map((name) => [name, []]));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS) {
      /** @type {RawOperation | undefined} */
      const raw = item[method];
      if (!raw) continue;
      const tag = raw.tags?.[0] ?? "other";
      const id = raw.operationId ?? `${method}${path}`.replace(/\W+/g, "-");
      const parameters = [...(item.parameters ?? []), ...(raw.parameters ?? [])];
      const group = groups.get(tag) ?? [];
      group.push({ ...raw, id, method, path, parameters });
      groups.set(tag, group);
    }
  }
  return [...groups]
    .filter(([, operations]) => operations.length > 0)
    .map(([tag, operations]) => ({ tag, description: described.get(tag), operations }));
}

/** The name of a schema that is referred to. @param {string} ref */
export const refName = (ref) => ref.slice(ref.lastIndexOf("/") + 1);

/**
 * A schema in one line, as a list of texts and names of other schemas: `array of ` + `Message`.
 * @param {Schema | undefined} schema
 * @returns {({ text: string } | { ref: string })[]}
 */
export function typeLine(schema) {
  if (!schema) return [{ text: "any" }];
  if (schema.$ref) return [{ ref: refName(schema.$ref) }];
  if (schema.const !== undefined) return [{ text: JSON.stringify(schema.const) }];
  if (schema.enum) return [{ text: schema.enum.map((value) => JSON.stringify(value)).join(" | ") }];
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return joined(choices.map(typeLine), " | ");
  if (schema.allOf) return joined(schema.allOf.map(typeLine), " & ");
  const types = [schema.type ?? (schema.properties ? "object" : "any")].flat();
  const parts = types.map((type) => {
    if (type === "array") return [{ text: "array of " }, ...typeLine(schema.items)];
    return [{ text: schema.format && type !== "null" ? `${type} (${schema.format})` : type }];
  });
  return joined(parts, " | ");
}

/**
 * @template T
 * @param {T[][]} parts
 * @param {string} text
 * @returns {(T | { text: string })[]}
 */
function joined(parts, text) {
  return parts.flatMap((part, i) => (i === 0 ? part : [{ text }, ...part]));
}

/**
 * All properties of a schema, those of its parts included.
 * @param {Schema} schema
 * @returns {{ name: string, schema: Schema, required: boolean }[]}
 */
export function properties(schema) {
  const own = Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    schema: property,
    required: schema.required?.includes(name) ?? false,
  }));
  return [...own, ...(schema.allOf ?? []).flatMap(properties)];
}
