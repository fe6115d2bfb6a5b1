package governance

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"
)

// PartnerHeader has the name of the partner from outside on whose behalf a gateway calls. It is believed only from the gateways of the configuration:
// handlers and logs never see one that another caller has set.
const PartnerHeader = "x-partner"

// Partner returns the partner of the current call; empty for a call that no gateway has made.
func Partner(ctx context.Context) string {
	if all := metadata.ValueFromIncomingContext(ctx, PartnerHeader); len(all) == 1 {
		return all[0]
	}
	return ""
}

// isPartnerHeader reports whether a key is the header in any spelling, or its binary form.
func isPartnerHeader(key string) bool {
	return strings.EqualFold(key, PartnerHeader) || strings.EqualFold(key, PartnerHeader+"-bin")
}

// checkPartner removes the header, unless a gateway has set it exactly once. Its binary form is always removed.
func (s *server) checkPartner(ctx context.Context) context.Context {
	plain := metadata.ValueFromIncomingContext(ctx, PartnerHeader)
	if len(plain) == 0 && len(metadata.ValueFromIncomingContext(ctx, PartnerHeader+"-bin")) == 0 {
		return ctx
	}
	believed := len(plain) == 1 && slices.Contains(s.cfg.Gateways, Caller(ctx))
	md, _ := metadata.FromIncomingContext(ctx)
	for key := range md {
		if isPartnerHeader(key) {
			delete(md, key)
		}
	}
	if believed {
		md[PartnerHeader] = plain
	}
	return metadata.NewIncomingContext(ctx, md)
}

// Origin returns on whose behalf the current call is made: its caller and, if that is a gateway, the partner. Services keep apart by it what
// different clients store, such as keys of idempotency: Caller is the same for all partners.
func Origin(ctx context.Context) string {
	if partner := Partner(ctx); partner != "" {
		return Caller(ctx) + "#" + partner
	}
	return Caller(ctx)
}
