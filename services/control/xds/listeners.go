package xds

import (
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	httpfault "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// grpcListener returns the listener of a target of grpc clients.
func grpcListener(target string, s compile.Service, filters []*hcm.HttpFilter) *listener.Listener {
	return &listener.Listener{Name: target, ApiListener: &listener.ApiListener{ApiListener: packed(&hcm.HttpConnectionManager{StatPrefix: hostOf(s),
		RouteSpecifier: &hcm.HttpConnectionManager_Rds{Rds: &hcm.Rds{RouteConfigName: hostOf(s), ConfigSource: fromADS()}},
		HttpFilters:    filters,
	})}}
}

// filtersOf returns the filters of calls: one for each fault, those that are given, and the router.
func filtersOf(faults []*policyv1.Fault, others ...*hcm.HttpFilter) (filters []*hcm.HttpFilter) {
	for _, f := range faults {
		filters = append(filters, filter(faultFilterName(f), &httpfault.HTTPFault{}))
	}
	return append(append(filters, others...), filter("router", &router.Router{}))
}

func filter(name string, config proto.Message) *hcm.HttpFilter {
	return &hcm.HttpFilter{Name: name, ConfigType: &hcm.HttpFilter_TypedConfig{TypedConfig: packed(config)}}
}

// fromADS says that a resource comes over the stream that this one came over.
func fromADS() *core.ConfigSource {
	return &core.ConfigSource{ResourceApiVersion: core.ApiVersion_V3, ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}}}
}

// packed returns a message in an Any.
func packed(m proto.Message) *anypb.Any {
	a := &anypb.Any{}
	if err := anypb.MarshalFrom(a, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		// Only text that is not UTF-8 fails, which no reader of objects accepts. The client rejects an empty Any.
		return &anypb.Any{}
	}
	return a
}
