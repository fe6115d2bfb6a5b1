package governance

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// PodHeader has the name of the pod that served a call: in the header of a success, and in the trailer of an error. An error with a header would
// not be repeated by the retries of grpc-go, which need an answer that consists of a trailer only.
const PodHeader = "x-serving-pod"

// markPod adds the name of the pod to the answer of a unary call.
func (s *server) markPod(ctx context.Context, err error) {
	if s.cfg.Pod == "" {
		return
	}
	// Both fail only outside of a call, or if the handler has sent the header itself.
	if err == nil {
		_ = grpc.SetHeader(ctx, s.pod)
	} else {
		_ = grpc.SetTrailer(ctx, s.pod)
	}
}

// podStream adds the name of the pod to the header as late as possible: with the first message, or at the end of a stream without any.
type podStream struct {
	grpc.ServerStream
	pod    metadata.MD
	marked bool
}

// SendHeader sends the header with the name of the pod.
func (s *podStream) SendHeader(md metadata.MD) error {
	if !s.marked {
		s.marked = true
		md = metadata.Join(md, s.pod)
	}
	return s.ServerStream.SendHeader(md)
}

// SendMsg sends a message, after the header with the name of the pod.
func (s *podStream) SendMsg(m any) error {
	if !s.marked {
		s.marked = true
		// It fails if the header was sent already.
		_ = s.SetHeader(s.pod)
	}
	return s.ServerStream.SendMsg(m)
}

// end marks a stream that has sent no message.
func (s *podStream) end(err error) {
	switch {
	case s.marked:
	case err == nil:
		_ = s.SetHeader(s.pod)
	default:
		s.SetTrailer(s.pod)
	}
}
