package main

// headers are the parameters of every operation.
var headers = []any{
	object{"name": "Request-Timeout", "in": "header", "type": "number", "required": false,
		"description": "How long to wait for the answer, in seconds, such as 2.5. Grpc-Timeout, in the format of gRPC, works too; the shorter one counts."},
	object{"name": "X-Request-Id", "in": "header", "type": "string", "required": false,
		"description": "An id of the request, which the answer repeats. One is made if there is none."},
}

// key is a parameter of every operation with a body.
var key = object{"name": "Idempotency-Key", "in": "header", "type": "string", "required": false,
	"description": "The same as idempotencyKey in the body."}

// problem is the schema of the errors, after RFC 9457.
var problem = object{
	"type":        "object",
	"description": "An error, after RFC 9457. Its media type is application/problem+json.",
	"required":    []any{"type", "title", "status", "detail", "code"},
	"properties": object{
		"type":   object{"type": "string", "description": "Always about:blank: status, code and reason say what is wrong."},
		"title":  object{"type": "string", "description": "The name of the HTTP status."},
		"status": object{"type": "integer", "format": "int32", "description": "The HTTP status."},
		"detail": object{"type": "string", "description": "What is wrong, for people."},
		"code":   object{"type": "string", "description": "The gRPC code, such as INVALID_ARGUMENT."},
		"reason": object{"type": "string", "description": "The reason of the google.rpc.ErrorInfo, such as OUT_OF_STOCK."},
		"requestId": object{"type": "string",
			"description": "The id of the request, as in the header X-Request-Id."},
		"details": object{"type": "array", "description": "The details of the gRPC status, such as google.rpc.BadRequest and google.rpc.RetryInfo.",
			"items": object{"$ref": "#/definitions/ProblemDetail"}},
	},
}

// detail is the schema of a google.protobuf.Any in JSON.
var detail = object{
	"type":                 "object",
	"description":          "A message in its JSON form. A message whose type the gateway does not know has the member value, in base64.",
	"required":             []any{"@type"},
	"properties":           object{"@type": object{"type": "string", "description": "Such as type.googleapis.com/google.rpc.BadRequest."}},
	"additionalProperties": true,
}

// examples are the values of variables in paths, by name, with which the curl lines of the page /docs work as they are.
var examples = map[string]string{"userId": "u-42"}
