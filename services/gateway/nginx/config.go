// Package nginx writes the configuration of the gateway's nginx, and tests, starts and reloads nginx.
//
//	Config ──Render──▶ nginx.conf ──Server.Apply──▶ nginx -t ──▶ reload ──▶ the new workers answer with the version
//	                                                  └─▶ refused: the last good configuration stays in force
//
// nginx terminates TLS, checks the certificate of the partner and its limits, and passes gRPC on to the services over mutual TLS. Requests that are
// not gRPC go to the agent in the same pod, which transcodes them. nginx answers everything that it refuses itself: a gRPC status with details,
// or a problem document in JSON.
package nginx

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"
	"text/template"
)

// Config is everything that a configuration depends on. Paths are absolute.
type Config struct {
	// Listen is the address for partners, such as :8443.
	Listen string
	// Folder is a writable folder for process id, sockets and temporary files.
	Folder string
	// Certificate and Key are the gateway's own: it presents them to partners and to services.
	Certificate, Key string
	// Services is a file with the roots that certificates of services chain to.
	Services string
	// Authorities and Revocations are files with the authorities of partners and their lists of revocations.
	Authorities, Revocations string
	// Agent is the Unix socket of the agent, which transcodes REST. AccessLog is the address of the syslog server that
	// receives nginx's access log over UDP.
	Agent, AccessLog string
	// Upstreams are the services, with the methods that partners may call.
	Upstreams []Upstream
	// Routes are the requests of REST, for limits and logs.
	Routes []Route
	// Limits apply to partners.
	Limits []Limit
	// Material distinguishes versions of the files above: nginx reads them only when it is reloaded.
	Material string
}

// Upstream is a service.
type Upstream struct {
	// Name is the name of the service, ServerName the name in its certificate.
	Name, ServerName string
	// Addresses are host:port with an IP address. Without one, calls are refused as UNAVAILABLE.
	Addresses []string
	// Methods are the methods that the gateway passes on.
	Methods []Method
}

// Method is a gRPC method.
type Method struct {
	// Name is package.Service/Method.
	Name string
	// Stream means that the client or the server sends a stream.
	Stream bool
}

// Methods returns the methods of all services.
func (c Config) Methods() (all []Method) {
	for _, u := range c.Upstreams {
		all = append(all, u.Methods...)
	}
	return all
}

// Route is a request of REST that becomes a call of a gRPC method.
type Route struct {
	// Verb is the HTTP method, Pattern a regular expression that matches the whole path.
	Verb, Pattern string
	// Method is package.Service/Method.
	Method string
}

// Version identifies a configuration.
func (c Config) Version() string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%+v", c)))
	return hex.EncodeToString(sum[:8])
}

//go:embed nginx.conf.tmpl
var text string

var page = template.Must(template.New("nginx.conf").Funcs(template.FuncMap{"quote": quote}).Parse(text))

// Render returns the text of the configuration, and its version.
func Render(c Config) (conf []byte, version string, err error) {
	version = c.Version()
	if strings.HasPrefix(c.Listen, ":") {
		c.Listen = "*" + c.Listen
	}
	var out bytes.Buffer
	err = page.Execute(&out, struct {
		Config
		Version  string
		Refusals []answer
		Reasons  []reason
		// RetryAfter is how many seconds a refused partner should wait, RetryDetails the details of the gRPC status.
		RetryAfter   int
		RetryDetails string
		// BodyTimeout is the reason of a body that did not arrive.
		BodyTimeout string
	}{c, version, answers(), reasons(), retryAfter(c.Limits), retryDetails(retryAfter(c.Limits)), ReasonBodyTimeout})
	if err != nil {
		return nil, "", fmt.Errorf("writing nginx.conf: %w", err)
	}
	return out.Bytes(), version, nil
}

// quote returns a text as one parameter of nginx.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
