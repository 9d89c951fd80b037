package auditgrpc_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// The secrets of the group that all services under test are in, and of somebody who is not, under the same key id.
var (
	ours   = bytes.Repeat([]byte("ours"), 8)
	theirs = bytes.Repeat([]byte("they"), 8)
)

// service is a process in miniature: a trail, telemetry and a propagator of its own.
type service struct {
	name        string
	tr          *audittest.Trail
	propagators otelpropagation.TextMapPropagator
	tracers     *sdktrace.TracerProvider
}

func newService(t *testing.T, name string, secret []byte) *service {
	t.Helper()
	key, err := propagation.HMACKey("k1", secret)
	require.NoError(t, err)
	keys, err := propagation.NewKeyring(key)
	require.NoError(t, err)
	p, err := propagation.New(propagation.Config{Service: name, Keys: keys})
	require.NoError(t, err)
	tracers := sdktrace.NewTracerProvider()
	t.Cleanup(func() { require.NoError(t, tracers.Shutdown(context.WithoutCancel(t.Context()))) })
	return &service{
		name:        name,
		tr:          audittest.New(t),
		propagators: otelpropagation.NewCompositeTextMapPropagator(otelpropagation.TraceContext{}, p),
		tracers:     tracers,
	}
}

// handler is otelgrpc's in ours, for the server.
func (s *service) handler() stats.Handler { return auditgrpc.ServerHandler(s.serverHandler()) }

// serverHandler is otelgrpc's, for the server.
func (s *service) serverHandler() stats.Handler {
	return otelgrpc.NewServerHandler(otelgrpc.WithPropagators(s.propagators), otelgrpc.WithTracerProvider(s.tracers))
}

// clientHandler is otelgrpc's, for the client.
func (s *service) clientHandler() stats.Handler {
	return otelgrpc.NewClientHandler(otelgrpc.WithPropagators(s.propagators), otelgrpc.WithTracerProvider(s.tracers))
}

// serve returns the target of a server that has telemetry in front of the interceptors.
func (s *service) serve(t *testing.T, telemetry stats.Handler, actor actorFunc, h handler, opts ...auditgrpc.Option) string {
	t.Helper()
	return serve(t, h, append(audited(s.tr, nil, actor, opts...), grpc.StatsHandler(telemetry))...)
}

// options are ours around otelgrpc's, for the client.
func (s *service) options(audiences map[string]string) []grpc.DialOption {
	return auditgrpc.ClientOptions(s.clientHandler(), audiences)
}

// dial connects with options.
func (s *service) dial(t *testing.T, target string, audiences map[string]string, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	return dial(t, target, slices.Concat(s.options(audiences), opts)...)
}

// headers are what s would send to audience for actor, on a trace of their own.
func (s *service) headers(ctx context.Context, audience string, actor otelaudit.Actor, traceID byte) map[string]string {
	ctx = otelaudit.ContextWithActor(propagation.ContextWithAudience(ctx, audience), actor)
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: traceID}, SpanID: trace.SpanID{7: 1}, TraceFlags: trace.FlagsSampled,
	}))
	carrier := otelpropagation.MapCarrier{}
	s.propagators.Inject(ctx, carrier)
	return carrier
}

func send(ctx context.Context, headers ...map[string]string) context.Context {
	for _, h := range headers {
		for k, v := range h {
			ctx = metadata.AppendToOutgoingContext(ctx, k, v)
		}
	}
	return ctx
}

var nobody = is(otelaudit.Actor{})
