package auditgrpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// handler is what a server under test does with each word that it gets: it answers with the word, or with the error.
type handler func(ctx context.Context, word string) error

// echo has a unary method and a bidirectional stream.
var echo = grpc.ServiceDesc{
	ServiceName: "test.Echo",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Say",
		Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			word := new(wrapperspb.StringValue)
			if err := decode(word); err != nil {
				return nil, err
			}
			answer := func(ctx context.Context, word any) (any, error) {
				return word, srv.(handler)(ctx, word.(*wrapperspb.StringValue).GetValue())
			}
			if interceptor == nil {
				return answer(ctx, word)
			}
			return interceptor(ctx, word, &grpc.UnaryServerInfo{Server: srv, FullMethod: sayMethod}, answer)
		},
	}},
	Streams: []grpc.StreamDesc{{
		StreamName:    "Talk",
		ServerStreams: true,
		ClientStreams: true,
		Handler: func(srv any, stream grpc.ServerStream) error {
			for {
				word := new(wrapperspb.StringValue)
				if err := stream.RecvMsg(word); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
				if err := srv.(handler)(stream.Context(), word.GetValue()); err != nil {
					return err
				}
				if err := stream.SendMsg(word); err != nil {
					return err
				}
			}
		},
	}},
}

const (
	sayMethod  = "/test.Echo/Say"
	talkMethod = "/test.Echo/Talk"
)

// serve starts a server on a port of this machine, and returns its target.
func serve(t *testing.T, h handler, opts ...grpc.ServerOption) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serveOn(t, listener, h, opts...)
	return listener.Addr().String()
}

func serveOn(t *testing.T, listener net.Listener, h handler, opts ...grpc.ServerOption) {
	t.Helper()
	server := grpc.NewServer(opts...)
	server.RegisterService(&echo, h)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, <-served)
	})
}

// dial connects without TLS, unless opts say otherwise.
func dial(t *testing.T, target string, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	opts = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, opts...)
	conn, err := grpc.NewClient(target, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

// say makes a unary call.
func say(ctx context.Context, conn *grpc.ClientConn, word string) error {
	return conn.Invoke(ctx, sayMethod, wrapperspb.String(word), new(wrapperspb.StringValue))
}

// talk says words in one stream, each after the answer to the one before.
func talk(ctx context.Context, conn *grpc.ClientConn, words ...string) error {
	stream, err := conn.NewStream(ctx, &echo.Streams[0], talkMethod)
	if err != nil {
		return err
	}
	for _, word := range words {
		if err := stream.SendMsg(wrapperspb.String(word)); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := stream.RecvMsg(new(wrapperspb.StringValue)); err != nil {
			return err // also what SendMsg hides behind io.EOF
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if err := stream.RecvMsg(new(wrapperspb.StringValue)); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// kinds are the ways to call the server, which must not differ.
var kinds = map[string]func(ctx context.Context, conn *grpc.ClientConn) error{
	"unary":  func(ctx context.Context, conn *grpc.ClientConn) error { return say(ctx, conn, "word") },
	"stream": func(ctx context.Context, conn *grpc.ClientConn) error { return talk(ctx, conn, "word") },
}

// track is a handler that tracks one activity for each word.
func track(ctx context.Context, word string) error {
	return otelaudit.Track(ctx, otelaudit.Activity{Action: "word.hear", Target: otelaudit.Target{Type: "word", ID: word}})
}

// before returns server options that change the context of each call before the interceptors that follow.
func before(change func(context.Context) context.Context, unary grpc.UnaryServerInterceptor, stream grpc.StreamServerInterceptor) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			return next(change(ctx), req)
		}, unary),
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			return next(srv, changed{stream, change(stream.Context())})
		}, stream),
	}
}

type changed struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // what Context returns
}

func (c changed) Context() context.Context { return c.ctx }
