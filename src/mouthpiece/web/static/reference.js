// The API's reference, drawn from the server's own OpenAPI document.

const METHODS = ["get", "post", "put", "patch", "delete"];

const plain = (markdown) => markdown.replaceAll(/[`*]/g, "");
const make = (tag, words = "", className = "") => Object.assign(document.createElement(tag), { textContent: words, className });

function typeOf(schema, document) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.anyOf) return schema.anyOf.map((one) => typeOf(one, document)).filter((one) => one !== "null").join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items, document)}`;
  return schema.enum ? schema.enum.join(" | ") : schema.format ?? schema.type ?? "any";
}

function bodyFields(operation, document) {
  const content = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
  const named = content?.$ref?.split("/").at(-1);
  const schema = named ? document.components.schemas[named] : content;
  return Object.entries(schema?.properties ?? {}).map(([name, field]) =>
    [name, "body", typeOf(field, document), field.description ?? "", schema.required?.includes(name)]);
}

function table(head, rows) {
  const it = make("table");
  const line = (cells, tag) => {
    const row = make("tr");
    row.append(...cells.map((cell, i) => {
      const box = make(tag);
      box.append(i === 0 && tag === "td" ? make("code", cell) : cell);
      return box;
    }));
    return row;
  };
  it.append(line(head, "th"), ...rows.map((row) => line(row, "td")));
  return it;
}

function route(path, method, operation, document) {
  const box = make("details");
  const head = make("summary");
  head.append(make("span", method.toUpperCase(), "method"), make("code", path), make("span", operation.summary ?? "", "summary"));
  box.append(head);
  if (operation.description) box.append(make("p", plain(operation.description)));
  const fields = (operation.parameters ?? [])
    .map((one) => [one.name, one.in, typeOf(one.schema, document), one.description ?? "", one.required])
    .concat(bodyFields(operation, document))
    .map(([name, where, type, text, required]) => [name, where, type, plain(required ? `${text} (required)`.trim() : text)]);
  if (fields.length) box.append(table(["field", "in", "type", "what"], fields));
  box.append(table(["status", "what"], Object.entries(operation.responses).map(([status, one]) => [status, one.description])));
  return box;
}

const api = await (await fetch("/openapi.json")).json();
for (const text of api.info.description.split("\n\n")) document.getElementById("about").append(make("p", plain(text)));
const groups = new Map();
for (const [path, methods] of Object.entries(api.paths)) {
  for (const method of METHODS.filter((one) => methods[one])) {
    const tag = methods[method].tags?.[0] ?? "other";
    groups.set(tag, [...(groups.get(tag) ?? []), route(path, method, methods[method], api)]);
  }
}
for (const [tag, routes] of groups) document.getElementById("routes").append(make("h2", tag), ...routes);
