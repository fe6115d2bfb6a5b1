package compile

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Service is the pods that are called under one name.
type Service struct {
	// Namespace and Name identify the service. Name is the one of Pod.Service.
	Namespace, Name string
	// Exists means that there are pods, ready or not.
	Exists bool
	// Accounts are the service accounts of all pods, sorted.
	Accounts []string
	// Endpoints are the pods that are ready, by address.
	Endpoints []Endpoint
}

// Endpoint is where a pod receives calls.
type Endpoint struct {
	// Pod is the name of the pod. IP and Port are where it receives calls.
	Pod  string
	IP   string
	Port uint32
}

// Service returns a service of a namespace.
func (c *Compiler) Service(namespace, name string) Service {
	s := Service{Namespace: namespace, Name: name}
	for _, p := range c.services[namespace][name] {
		s.Exists = true
		s.Accounts = append(s.Accounts, p.Account)
		if p.Ready && p.IP != "" && p.Port != 0 {
			s.Endpoints = append(s.Endpoints, Endpoint{Pod: p.Name, IP: p.IP, Port: p.Port})
		}
	}
	slices.Sort(s.Accounts)
	s.Accounts = slices.Compact(s.Accounts)
	slices.SortFunc(s.Endpoints, func(a, b Endpoint) int { return cmp.Or(strings.Compare(a.IP, b.IP), cmp.Compare(a.Port, b.Port)) })
	// Two pods of the host's network may have one address; clients reject a duplicate.
	s.Endpoints = slices.CompactFunc(s.Endpoints, func(a, b Endpoint) bool { return a.IP == b.IP && a.Port == b.Port })
	return s
}

// Services returns the names of the services of a namespace, sorted.
func (c *Compiler) Services(namespace string) []string {
	return slices.Sorted(maps.Keys(c.services[namespace]))
}
