package rest

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	orderroutes "github.com/grpc-sandbox/sandbox/services/gateway/rest/routes/order/v1"
	userroutes "github.com/grpc-sandbox/sandbox/services/gateway/rest/routes/user/v1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// Config describes a handler. Only Connection is required.
type Config struct {
	// Connection returns the connection to a service by its full name, such as user.v1.UserService. New calls it once for each service.
	Connection func(service string) grpc.ClientConnInterface
	// Log receives panics, and errors that are the fault of a service or of this package. Default: slog.Default().
	Log *slog.Logger
	// MaxBody is the largest body that is accepted, in bytes. Default: 1 MiB.
	MaxBody int64
	// BodyTime bounds how long a body may take to arrive, if the server can. Default: 100 s.
	BodyTime time.Duration
	// Curl is how the page /docs begins its curl lines. Default: curl with the certificate and the key of a partner in the working directory.
	Curl string
	// BaseURL is the address of the gateway in these curl lines. Default: $GATEWAY.
	BaseURL string
}

const (
	defaultMaxBody  = 1 << 20
	defaultBodyTime = 100 * time.Second
	defaultCurl     = "curl --cacert ca.crt --cert partner.crt --key partner.key"
	defaultBaseURL  = "$GATEWAY"
)

func (cfg Config) withDefaults() Config {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	if cfg.BodyTime == 0 {
		cfg.BodyTime = defaultBodyTime
	}
	if cfg.Curl == "" {
		cfg.Curl = defaultCurl
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = defaultBaseURL
	}
	return cfg
}

// backend is a service with routes.
type backend struct {
	service  string
	register func(context.Context, *runtime.ServeMux, grpc.ClientConnInterface) error
}

// backends are the services with routes. TestRoutes_ReachTheirMethod requires that every route of the OpenAPI document is served.
func backends() []backend {
	return []backend{
		{orderv1.OrderService_ServiceDesc.ServiceName, func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
			return orderroutes.RegisterOrderServiceHandlerClient(ctx, mux, orderv1.NewOrderServiceClient(conn))
		}},
		{userv1.UserService_ServiceDesc.ServiceName, func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
			return userroutes.RegisterUserServiceHandlerClient(ctx, mux, userv1.NewUserServiceClient(conn))
		}},
	}
}

// New returns a handler for the routes, for /openapi.json and for /docs. Every other path is a problem with the status 404.
func New(cfg Config) (http.Handler, error) {
	cfg = cfg.withDefaults()
	doc, err := readDocument(openAPI)
	if err != nil {
		return nil, err
	}
	html, err := doc.html(cfg.Curl, cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	h := &handler{cfg: cfg, operations: doc.operations(), pages: map[string]page{
		"/openapi.json": {"application/json", openAPI},
		"/docs":         {"text/html; charset=utf-8", html},
	}}
	h.mux = newMux(cfg.Log)
	for _, b := range backends() {
		if err := b.register(context.Background(), h.mux, conn{cfg.Connection(b.service)}); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// newMux returns a multiplexer of grpc-gateway that gets requests from handler only. What a caller sends reaches it as a call in the context.
func newMux(log *slog.Logger) *runtime.ServeMux {
	nothing := func(string) (string, bool) { return "", false }
	return runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, codec{}),
		runtime.WithIncomingHeaderMatcher(nothing),
		runtime.WithOutgoingHeaderMatcher(nothing),
		runtime.WithOutgoingTrailerMatcher(nothing),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithWriteContentLength(),
		runtime.WithMetadata(func(ctx context.Context, _ *http.Request) metadata.MD { return callOf(ctx).metadata }),
		runtime.WithMiddlewares(withPathValues),
		runtime.WithErrorHandler(func(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
			fail(log, w, r, callOf(ctx).cause(err))
		}),
		runtime.WithRoutingErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, _ int) {
			fail(log, w, r, errUnrouted)
		}),
	)
}
