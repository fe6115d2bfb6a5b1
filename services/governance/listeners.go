package governance

import (
	"errors"
	"net"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// off is the address of a listener that a program does not need, and the value of a key that switches its default off.
const off = "off"

// Listeners are open listeners of a program. One that is nil is opened at the address in the Config.
type Listeners struct{ Service, Health, Metrics net.Listener }

// Addresses are the addresses on which a program listens; empty for a listener that is off.
type Addresses struct{ Service, Health, Metrics string }

// listen opens the listeners that are not open yet. Those of health and metrics are nil if they are off.
func (c Config) listen() (Listeners, error) {
	l := c.Listeners
	if c.ListenAddr == off && l.Service == nil {
		return l, errors.New("listening: only the addresses of health and metrics can be off")
	}
	for _, one := range []struct {
		listener *net.Listener
		address  string
	}{{&l.Service, c.ListenAddr}, {&l.Health, c.HealthAddr}, {&l.Metrics, c.MetricsAddr}} {
		if *one.listener != nil || one.address == off {
			continue
		}
		opened, err := net.Listen("tcp", one.address)
		if err != nil {
			l.close()
			return l, remedy.Errorf(remedy.Advice("choose a free port of this host, such as :8443"), "listening at %q: %w", one.address, err)
		}
		*one.listener = opened
	}
	return l, nil
}

func (l Listeners) all() []net.Listener { return []net.Listener{l.Service, l.Health, l.Metrics} }

// close closes the listeners. Those that are closed already stay so.
func (l Listeners) close() {
	for _, one := range l.all() {
		if one != nil {
			_ = one.Close()
		}
	}
}

func (l Listeners) addresses() Addresses {
	var at [3]string
	for i, one := range l.all() {
		if one != nil {
			at[i] = one.Addr().String()
		}
	}
	return Addresses{Service: at[0], Health: at[1], Metrics: at[2]}
}
