// Package gateway is the agent of the front gateway: the door through which partners outside the cluster call its services.
//
//	partner ──TLS, client certificate──▶ nginx ──gRPC, mutual TLS──▶ services
//	                                      │ REST                        ▲
//	                                      └──▶ agent ──gRPC, governance─┘
//	control plane ──policy, authorities, revocations──▶ agent ──configuration──▶ nginx ──access log──▶ agent ──▶ metrics, traces, log
//
// The agent is the first process of the pod. It writes the configuration of nginx, tests it, starts and reloads nginx, and acknowledges a policy
// when nginx enforces it. It reloads nginx, too, when a certificate, the list of revocations or the address of a service has changed, because nginx
// reads all of them only then. If a configuration is bad, the last good one stays in force.
package gateway
