package gateway

import (
	"net/http"

	"github.com/grpc-sandbox/sandbox/services/gateway/nginx"
)

// routes are the requests of REST.
func routes() []nginx.Route { return nil }

func (a *agent) transcoder() (http.Handler, error) { return http.NotFoundHandler(), nil }
