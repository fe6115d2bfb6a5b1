package gateway

import (
	"cmp"
	"net"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/gateway/nginx"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// Config describes a gateway. ConfigFromEnv reads it.
type Config struct {
	// Listen is the address for partners.
	Listen string
	// Folder is a writable folder for what nginx needs.
	Folder string
	// NGINX is the path of the program.
	NGINX string
	// Services are the services that partners may call.
	Services []Service
}

// Service is a service behind the gateway.
type Service struct {
	// Name is its name. Address is the host and port at which nginx reaches it, Pods the host and port whose addresses are those of its pods.
	Name, Address, Pods string
}

// public has the gRPC services that partners may call, by the service that serves them. A gRPC service that is missing here is not passed on,
// whatever the chart lists.
var public = map[string]protoreflect.ServiceDescriptor{
	"userservice":  userv1.File_user_v1_user_proto.Services().ByName("UserService"),
	"orderservice": orderv1.File_order_v1_order_proto.Services().ByName("OrderService"),
}

// internal are methods of public services for the operators of the shop alone.
var internal = map[protoreflect.FullName]bool{"order.v1.OrderService.Audit": true}

// methods returns the methods of a service that partners may call.
func methods(service string) (all []nginx.Method) {
	d := public[service]
	for i := range d.Methods().Len() {
		m := d.Methods().Get(i)
		if !internal[m.FullName()] {
			all = append(all, nginx.Method{Name: string(d.FullName()) + "/" + string(m.Name()), Stream: m.IsStreamingClient() || m.IsStreamingServer()})
		}
	}
	return all
}

// ConfigFromEnv reads the configuration. An error names the key and a valid value.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	cfg := Config{Listen: cmp.Or(getenv("GATEWAY_ADDR"), ":8443"), Folder: cmp.Or(getenv("GATEWAY_DIR"), "/run/gateway"), NGINX: cmp.Or(getenv("NGINX"), "/usr/sbin/nginx")}
	if _, _, err := net.SplitHostPort(cfg.Listen); err != nil {
		return Config{}, remedy.Errorf(remedy.Value(":8443"), "reading GATEWAY_ADDR: %w", err)
	}
	const example = "userservice=userservice.shop.svc:8443=userservice-headless.shop.svc:8443"
	for _, one := range strings.Split(getenv("SERVICES"), ",") {
		parts := strings.Split(strings.TrimSpace(one), "=")
		if len(parts) != 3 || !isAddress(parts[1]) || !isAddress(parts[2]) {
			return Config{}, remedy.Errorf(remedy.Value(example), "reading SERVICES: %q is not a name and two addresses", one)
		}
		name := parts[0]
		if public[name] == nil {
			return Config{}, remedy.Errorf(remedy.Value(example), "reading SERVICES: the gateway does not know the methods of %q", name)
		}
		cfg.Services = append(cfg.Services, Service{name, parts[1], parts[2]})
	}
	return cfg, nil
}

func isAddress(text string) bool {
	host, port, err := net.SplitHostPort(text)
	return err == nil && host != "" && port != ""
}
