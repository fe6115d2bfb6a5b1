// Package speed measures what the gateway costs. It has tests only; task bench:gateway runs them and writes the tables of the README of the gateway.
//
//	                ┌── direct ─────────────────────────────────────────────┐
//	partner (test) ─┤                                                       ├──▶ service (grpc-go)
//	                └── TLS, client certificate ──▶ nginx ──── mutual TLS ──┤
//	                                                  └─ REST ─▶ agent ─────┘
//
// It measures on the loopback of one machine and not in a cluster, where the path of packets, the proxies of Kubernetes and twenty other pods disturb
// figures of a tenth of a millisecond. Everything that the figures are about is that of the product: the agent is Main of package gateway in a process
// of its own, with the configuration, the access log, the metrics and the spans that partners get in a cluster, and it starts the real nginx. The
// agent has stored authorities of partners, as after a restart without the control plane. The service is a bare server of grpc-go in a process of its own,
// because everything that a service adds would make the price of the gateway look smaller.
//
// What happens to calls when the agent is asked to stop is tested here, too, because only this package has it as a process.
//
// What is compared is called in short blocks that take turns, so that a change in the speed of the machine affects all of it.
package speed
