package gateway

import (
	"fmt"
	"net/http"
	"regexp"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/gateway/nginx"
	"github.com/grpc-sandbox/sandbox/services/gateway/rest"
)

// variable is a variable in the path of a route.
var variable = regexp.MustCompile(`\{[^}]*\}`)

// routes are the requests of REST, as nginx distinguishes them.
func routes() ([]nginx.Route, error) {
	listed, err := rest.Routes()
	if err != nil {
		return nil, err
	}
	var all []nginx.Route
	for _, r := range listed {
		// nginx matches the path without escapes, in which a variable may contain a slash.
		all = append(all, nginx.Route{Verb: r.Verb, Pattern: variable.ReplaceAllString(r.Path, ".+"), Method: r.Method})
	}
	return all, nil
}

// transcoder returns the handler of REST, whose calls go to the services through governance.
func (a *agent) transcoder() (http.Handler, error) {
	connections := map[string]*grpc.ClientConn{}
	for _, s := range a.cfg.Services {
		conn, err := a.process.Dial("dns:///"+s.Pods, s.Name)
		if err != nil {
			return nil, fmt.Errorf("connecting to %s: %w", s.Name, err)
		}
		connections[string(public[s.Name].FullName())] = conn
	}
	for name, d := range public {
		if connections[string(d.FullName())] == nil {
			return nil, remedy.Errorf(remedy.Value(name+"=ADDRESS=ADDRESS"), "reading SERVICES: it does not have %s, which REST needs", name)
		}
	}
	return rest.New(rest.Config{Connection: func(service string) grpc.ClientConnInterface { return connections[service] }, Log: a.log, MaxBody: 4 << 20})
}
