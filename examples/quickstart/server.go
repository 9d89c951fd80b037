package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// server answers requests on a TCP port until it is closed.
type server struct {
	url    string
	http   *http.Server
	failed chan error // gets one error if serving ends by itself
}

func listen(ctx context.Context, addr string, handler http.Handler) (*server, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &server{
		url:    "http://" + listener.Addr().String(),
		http:   &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second},
		failed: make(chan error, 1),
	}
	go func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
	return s, nil
}

// wait returns when ctx ends, or with the error for which the server does.
func (s *server) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		return err
	}
}

const drainTimeout = 10 * time.Second

// close waits for the requests that are being answered: their activities still find the trail.
func (s *server) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return s.http.Shutdown(ctx)
}
