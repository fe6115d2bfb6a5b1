package contracts

import (
	"errors"
	"io"

	"google.golang.org/grpc"
)

// collect reads a stream to its end.
func collect[T any](stream grpc.ServerStreamingClient[T], err error) ([]*T, error) {
	if err != nil {
		return nil, err
	}
	return drain(stream)
}

func drain[T any](stream interface{ Recv() (*T, error) }) (all []*T, err error) {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}
