// Describes the control socket's routes as OpenAPI 3.1, from the table in dist/src/control/routes.js. Used by generate-docs.mjs.

const JSON_TYPE = "application/json";

const ERROR = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message"],
      properties: { code: { type: "string", description: "One of docs/errors.md" }, message: { type: "string" } },
    },
  },
};

/** Renders the document, with a line break at its end. */
export function renderOpenApi(routes, version) {
  const paths = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    paths[route.path][route.method.toLowerCase()] = operationOf(route);
  }
  const document = {
    openapi: "3.1.0",
    info: {
      title: "Choir's control socket",
      version,
      description:
        "HTTP/1.1 on a Unix socket that only the app's user can reach: docs/commands.md says where it is. Generated from src/control/routes.ts by npm run docs.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "http://localhost", description: "curl --unix-socket <path> http://localhost/v1/status" }],
    paths,
    components: { schemas: { Error: ERROR } },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function operationOf({ method, path, about, status, lasting, takes = [], gives }) {
  const isQuery = method === "GET";
  return {
    operationId: `${method.toLowerCase()}${path.replace("/v1", "").replaceAll(/[/-](\w)/g, (_, letter) => letter.toUpperCase())}`,
    summary: about,
    ...(isQuery && takes.length > 0 && { parameters: takes.map(parameterOf) }),
    ...(!isQuery && takes.length > 0 && { requestBody: bodyOf(takes) }),
    responses: {
      [status]: {
        description: lasting ? "Goes on until the client leaves or the supervisor ends" : "Done",
        content: contentOf(gives),
      },
      default: {
        description: "It cannot be served: 400, 403, 404, 405, 408 or 413, or 500 for a fault of Choir's own",
        content: { [JSON_TYPE]: { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

function parameterOf({ name, about, schema, required = false }) {
  return { name, in: "query", required, description: about, schema };
}

function bodyOf(takes) {
  const required = takes.filter((each) => each.required).map(({ name }) => name);
  return {
    required: required.length > 0,
    content: {
      [JSON_TYPE]: {
        schema: {
          type: "object",
          additionalProperties: false,
          ...(required.length > 0 && { required }),
          properties: Object.fromEntries(
            takes.map(({ name, about, schema }) => [name, { ...schema, description: about }]),
          ),
        },
      },
    },
  };
}

/** What has no form of its own is JSON, or its events one a line and then the result. */
function contentOf(gives) {
  if (gives !== undefined) return Object.fromEntries(gives.map((type) => [type, { schema: { type: "string" } }]));
  return {
    [JSON_TYPE]: { schema: {} },
    "application/x-ndjson": {
      schema: { type: "string", description: 'A line for each event, then {"result": …} or {"error": …}' },
    },
  };
}
