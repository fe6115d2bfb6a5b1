package control

import (
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// leases serves control.v1.Leases.
type leases struct {
	controlv1.UnimplementedLeasesServer
	store *Store
	// renewed passes a renewal on to the other replicas.
	renewed func(*controlv1.RenewRequest)
}

// Renew renews leases until the client closes the stream.
func (l leases) Renew(stream grpc.BidiStreamingServer[controlv1.RenewRequest, controlv1.RenewResponse]) error {
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer := &controlv1.RenewResponse{Namespace: r.GetNamespace(), Name: r.GetName()}
		if time, ok := l.store.Leases.Renew(r.GetNamespace(), r.GetName()); ok {
			answer.Lease = durationpb.New(time)
			l.renewed(r)
		} else {
			answer.Unknown = true
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}
