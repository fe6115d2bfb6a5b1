package rest

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// call is what a request has for its call besides the message.
type call struct {
	metadata metadata.MD
	timeout  time.Duration
	key      string
	// values are those of the variables in the path.
	values []string
	// malformed is why the body cannot be read. grpc-gateway keeps only the text of the error.
	malformed error
}

type callKey struct{}

// callOf returns the call of a context that call.context has made.
func callOf(ctx context.Context) *call {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return &call{}
	}
	return c
}

// context returns the context of the call, with its deadline. The caller's span becomes the parent unless the context has one already.
func (c *call) context(r *http.Request) (context.Context, context.CancelFunc) {
	ctx := context.WithValue(r.Context(), callKey{}, c)
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	if c.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.timeout)
}

// cause returns the error to answer with.
func (c *call) cause(err error) error {
	if c.malformed != nil {
		return c.malformed
	}
	return err
}

// withPathValues replaces the numbers in the path, which serve has put there, by the caller's values.
func withPathValues(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, numbers map[string]string) {
		values := make(map[string]string, len(numbers))
		for name, number := range numbers {
			if i, err := strconv.Atoi(number); err == nil {
				values[name] = callOf(r.Context()).values[i]
			}
		}
		next(w, r, values)
	}
}

// keyField is the field of the requests that are safe to repeat.
const keyField protoreflect.Name = "idempotency_key"

// conn is a connection to a service. It copies the header Idempotency-Key to the field of the request.
type conn struct{ grpc.ClientConnInterface }

// Invoke makes a unary call.
func (c conn) Invoke(ctx context.Context, method string, request, answer any, options ...grpc.CallOption) error {
	if key := callOf(ctx).key; key != "" {
		if m, ok := request.(proto.Message); ok {
			if err := setKey(m.ProtoReflect(), key); err != nil {
				return err
			}
		}
	}
	return c.ClientConnInterface.Invoke(ctx, method, request, answer, options...)
}

// setKey sets the key of a request that has one. Other requests change nothing, so they need none.
func setKey(m protoreflect.Message, key string) error {
	field := m.Descriptor().Fields().ByName(keyField)
	if field == nil || field.Kind() != protoreflect.StringKind {
		return nil
	}
	if in := m.Get(field).String(); in != "" && in != key {
		return badField(ReasonBadHeader, field.JSONName(), "differs from the header Idempotency-Key")
	}
	m.Set(field, protoreflect.ValueOfString(key))
	return nil
}
