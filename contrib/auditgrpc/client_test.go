package auditgrpc_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

type grpcConn = grpc.ClientConn

func received(ctx context.Context, key string) []string {
	return metadata.ValueFromIncomingContext(ctx, key)
}

func requireStatus(t *testing.T, want string, err error) {
	t.Helper()
	require.Equal(t, want, status.Code(err).String(), err)
}

// A token goes to listed targets, and to no other.
func TestAudiences(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		listed func(target string) string // as in the list
		dialed func(target string) string
		sent   bool
	}{
		"as written":            {as(""), as(""), true},
		"canonical":             {as("dns:///"), as(""), true},
		"written canonically":   {as("dns:///"), as("dns:///"), true},
		"another scheme":        {as("passthrough:///"), as(""), false},
		"listed without scheme": {as(""), as("dns:///"), false},
		"another host":          {func(target string) string { return "x" + target }, as(""), false},
		"a prefix":              {func(target string) string { return target[:len(target)-1] }, as(""), false},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				edge := newService(t, "edge", ours)
				var baggage string
				target := serve(t, func(ctx context.Context, _ string) error {
					baggage = strings.Join(received(ctx, "baggage"), ",")
					return nil
				})
				audiences := map[string]string{tc.listed(target): "orders"}
				conn := edge.dial(t, tc.dialed(target), audiences)
				clear(audiences) // the options have a list of their own

				ctx := otelaudit.ContextWithActor(t.Context(), otelaudit.User("alice"))
				ctx = propagation.ContextWithAudience(ctx, "somebody-else")
				ctx = send(ctx, map[string]string{"baggage": "colour=blue,otelaudit.actor=r1.k1.copied.in"})
				require.NoError(t, call(ctx, conn))
				require.Equal(t, tc.sent, strings.Contains(baggage, "otelaudit.actor=r1.k1."), baggage)
				require.NotContains(t, baggage, "copied")
				require.NoError(t, call(t.Context(), conn))
				require.Empty(t, baggage, "no actor, no token")
			})
		}
	}
}

// What a proxy copies from its callers' metadata does not go on, also where nothing injects, and the context is not changed.
func TestTokensThatWereCopied(t *testing.T) {
	t.Parallel()
	const copied = "otelaudit.actor=r1.k1.copied.in"
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var baggage []string
			target := serve(t, func(ctx context.Context, _ string) error {
				baggage = received(ctx, "baggage")
				return nil
			})
			conn := dial(t, target, auditgrpc.ClientOptions(otelgrpc.NewClientHandler(), nil)...)
			ctx := metadata.AppendToOutgoingContext(t.Context(), "baggage", "colour=blue", "Baggage", copied)
			require.NoError(t, call(ctx, conn))
			require.Equal(t, []string{"colour=blue"}, baggage)
			md, _ := metadata.FromOutgoingContext(ctx)
			require.Equal(t, []string{"colour=blue", copied}, md["baggage"])

			require.NoError(t, call(metadata.AppendToOutgoingContext(t.Context(), "baggage", copied), conn))
			require.Empty(t, baggage)
		})
	}
}

// silent is a handler that does nothing.
type silent struct{}

func (silent) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (silent) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (silent) HandleRPC(context.Context, stats.RPCStats)                         {}
func (silent) HandleConn(context.Context, stats.ConnStats)                       {}

// Another handler of the connection is told no audience, before ours or behind it, also where a context has one.
func TestOtherHandlers(t *testing.T) {
	t.Parallel()
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			edge := newService(t, "edge", ours)
			var baggage []string
			target := serve(t, func(ctx context.Context, _ string) error {
				baggage = received(ctx, "baggage")
				return nil
			})
			options := auditgrpc.ClientOptions(silent{}, map[string]string{target: "orders"})
			other := grpc.WithStatsHandler(edge.clientHandler())
			ctx := otelaudit.ContextWithActor(t.Context(), otelaudit.User("alice"))
			for _, options := range [][]grpc.DialOption{append([]grpc.DialOption{other}, options...), append(options, other)} {
				require.NoError(t, call(propagation.ContextWithAudience(ctx, "orders"), dial(t, target, options...)))
				require.Empty(t, baggage)
			}
		})
	}
}

// Several outgoing values are one beside the token.
func TestOutgoingValues(t *testing.T) {
	t.Parallel()
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			edge := newService(t, "edge", ours)
			var baggage []string
			target := serve(t, func(ctx context.Context, _ string) error {
				baggage = received(ctx, "baggage")
				return nil
			})
			ctx := otelaudit.ContextWithActor(t.Context(), otelaudit.User("alice"))
			ctx = metadata.AppendToOutgoingContext(ctx, "baggage", "a=1", "baggage", "b=2")
			require.NoError(t, call(ctx, edge.dial(t, target, map[string]string{target: "orders"})))
			require.Len(t, baggage, 1)
			require.Regexp(t, `^a=1,b=2,otelaudit\.actor=r1\.k1\.[^,]+$`, baggage[0])

			require.NoError(t, call(ctx, edge.dial(t, target, nil)))
			require.Equal(t, []string{"a=1,b=2"}, baggage)
		})
	}
}

// Each attempt of a call has a token.
func TestRetries(t *testing.T) {
	t.Parallel()
	const retry = `{"methodConfig": [{"name": [{"service": "test.Echo"}], "retryPolicy": {"maxAttempts": 3,
		"initialBackoff": "0.001s", "maxBackoff": "0.001s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			edge, orders := newService(t, "edge", ours), newService(t, "orders", ours)
			var attempts []string
			target := orders.serve(t, orders.handler(), nobody, func(ctx context.Context, _ string) error {
				actor, _ := otelaudit.ActorFromContext(ctx)
				if attempts = append(attempts, chain(actor)); len(attempts) < 3 {
					return status.Error(codes.Unavailable, "not yet")
				}
				return nil
			})
			conn := edge.dial(t, target, map[string]string{target: "orders"}, grpc.WithDefaultServiceConfig(retry))
			require.NoError(t, call(otelaudit.ContextWithActor(t.Context(), otelaudit.User("alice")), conn))
			require.Equal(t, []string{"edge>alice", "edge>alice", "edge>alice"}, attempts)
		})
	}
}

// fetching are credentials that fetch a token of their own with the context of the call.
type fetching func(context.Context) error

func (f fetching) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	return nil, f(ctx)
}

func (fetching) RequireTransportSecurity() bool { return false }

// Who issues credentials gets no token of ours, over HTTP or gRPC, and the call that needs them has it.
func TestCredentialsThatAreFetched(t *testing.T) {
	t.Parallel()
	for name, connect := range map[string]func(t *testing.T, edge *service, seen func(traceparent, baggage []string)) fetching{
		"HTTP": func(t *testing.T, edge *service, seen func(traceparent, baggage []string)) fetching {
			t.Helper()
			issuer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				seen(r.Header["Traceparent"], r.Header["Baggage"])
			}))
			t.Cleanup(issuer.Close)
			client := &http.Client{Transport: otelhttp.NewTransport(issuer.Client().Transport,
				otelhttp.WithPropagators(edge.propagators), otelhttp.WithTracerProvider(edge.tracers))}
			return func(ctx context.Context) error {
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer.URL, http.NoBody)
				if err != nil {
					return err
				}
				answer, err := client.Do(r)
				if err != nil {
					return err
				}
				return answer.Body.Close()
			}
		},
		"gRPC": func(t *testing.T, edge *service, seen func(traceparent, baggage []string)) fetching {
			t.Helper()
			target := serve(t, func(ctx context.Context, _ string) error {
				seen(received(ctx, "traceparent"), received(ctx, "baggage"))
				return nil
			})
			conn := edge.dial(t, target, nil)
			return func(ctx context.Context) error { return say(ctx, conn, "token, please") }
		},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				edge, orders := newService(t, "edge", ours), newService(t, "orders", ours)
				fetched := 0
				fetch := connect(t, edge, func(traceparent, baggage []string) {
					fetched++
					assert.Len(t, traceparent, 1, "it injects")
					assert.Empty(t, baggage)
				})
				target := orders.serve(t, orders.handler(), nobody, track)
				conn := edge.dial(t, target, map[string]string{target: "orders"}, grpc.WithPerRPCCredentials(fetch))
				ctx := otelaudit.ContextWithActor(t.Context(), otelaudit.User("alice"))
				require.NoError(t, call(propagation.ContextWithAudience(ctx, "somebody-else"), conn))
				require.Equal(t, 1, fetched)
				require.Equal(t, "edge>alice", chain(only(t, orders.tr).Actor))
			})
		}
	}
}

// An interceptor behind ours has the call's context, and may call whomever it likes with it: only who is listed gets a token.
func TestInterceptorsThatCallOthers(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]func(edge *service, shared []grpc.DialOption) []grpc.DialOption{
		"options of its own": func(edge *service, _ []grpc.DialOption) []grpc.DialOption { return edge.options(nil) },
		"the same options":   func(_ *service, shared []grpc.DialOption) []grpc.DialOption { return shared },
		"otelgrpc alone": func(edge *service, _ []grpc.DialOption) []grpc.DialOption {
			return []grpc.DialOption{grpc.WithStatsHandler(edge.clientHandler())}
		},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				edge, orders := newService(t, "edge", ours), newService(t, "orders", ours)
				fetched := 0
				issuer := serve(t, func(ctx context.Context, _ string) error {
					fetched++
					assert.Len(t, received(ctx, "traceparent"), 1, "it injects")
					assert.Empty(t, received(ctx, "baggage"))
					return nil
				})
				target := orders.serve(t, orders.handler(), nobody, track)
				shared := edge.options(map[string]string{target: "orders"})
				fetch := dial(t, issuer, options(edge, shared)...)
				conn := dial(t, target, slices.Concat(shared, []grpc.DialOption{
					grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpcConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
						return errors.Join(say(ctx, fetch, "token, please"), next(ctx, method, req, reply, cc, opts...))
					}),
					grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpcConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
						if err := say(ctx, fetch, "token, please"); err != nil {
							return nil, err
						}
						return next(ctx, desc, cc, method, opts...)
					}),
				})...)
				require.NoError(t, call(otelaudit.ContextWithActor(t.Context(), otelaudit.User("alice")), conn))
				require.Equal(t, 1, fetched)
				require.Equal(t, "edge>alice", chain(only(t, orders.tr).Actor))
			})
		}
	}
}

func as(scheme string) func(string) string {
	return func(target string) string { return scheme + target }
}
