package auditgrpc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"google.golang.org/grpc/metadata"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// A call enters at the edge, is authenticated there, and goes on to orders and from there to billing: each records who
// started it, the services in between, and one operation.
func TestChain(t *testing.T) {
	t.Parallel()
	alice := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", AuthMethod: "password", Tenant: "acme", Trust: otelaudit.TrustVerified}
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			edge, orders, billing := newService(t, "edge", ours), newService(t, "orders", ours), newService(t, "billing", ours)
			outsider := newService(t, "edge", theirs)

			toBilling := billing.serve(t, billing.handler(), nobody, track, auditgrpc.WithRejectionsTracked())
			billingConn := orders.dial(t, toBilling, map[string]string{toBilling: "billing"})
			toOrders := orders.serve(t, orders.handler(), nobody, through(t, billingConn, call), auditgrpc.WithRejectionsTracked())
			ordersConn := edge.dial(t, toOrders, map[string]string{"dns:///" + toOrders: "orders"})
			toEdge := edge.serve(t, auditgrpc.EdgeHandler(edge.serverHandler()), is(alice), through(t, ordersConn, call), auditgrpc.WithRejectionsTracked())

			client := dial(t, toEdge)
			forged := outsider.headers(t.Context(), "edge", otelaudit.User("mallory"), 9)
			require.Contains(t, forged["baggage"], "otelaudit.actor=")
			require.NoError(t, call(send(t.Context(), forged), client))

			byEdge, byOrders, byBilling := only(t, edge.tr), only(t, orders.tr), only(t, billing.tr)
			require.Equal(t, alice, byEdge.Actor)
			require.Equal(t, "edge>alice", chain(byOrders.Actor))
			require.Equal(t, "orders>edge>alice", chain(byBilling.Actor))
			for a := &byBilling.Actor; a != nil; a = a.OnBehalfOf {
				require.Equal(t, otelaudit.TrustPropagated, a.Trust)
			}
			require.NotEmpty(t, byEdge.Operation)
			for _, r := range []*otelaudit.Record{byOrders, byBilling} {
				require.Equal(t, byEdge.Operation, r.Operation)
				require.Equal(t, byEdge.TraceID, r.TraceID)
				require.Equal(t, "acme", r.Tenant)
			}
		})
	}
}

// through is a handler that tracks, and calls on.
func through(t *testing.T, conn *grpcConn, call func(context.Context, *grpcConn) error) handler {
	t.Helper()
	return func(ctx context.Context, word string) error {
		if err := track(ctx, word); err != nil {
			return err
		}
		return call(ctx, conn)
	}
}

// chain names who acts, and on whose behalf, nearest first.
func chain(a otelaudit.Actor) string {
	var ids []string
	for p := &a; p != nil; p = p.OnBehalfOf {
		ids = append(ids, p.ID)
	}
	return strings.Join(ids, ">")
}

// The service's own authentication wins over the token, and takes it for the principal where it is allowed to.
func TestOwnActorAndPropagated(t *testing.T) {
	t.Parallel()
	own := otelaudit.Actor{Type: otelaudit.ActorService, ID: "gateway", Trust: otelaudit.TrustVerified}
	for name, tc := range map[string]struct {
		opts []auditgrpc.Option
		want string
	}{
		"wins":    {nil, "gateway"},
		"allowed": {[]auditgrpc.Option{auditgrpc.WithPropagated(func(_, _ otelaudit.Actor) bool { return true })}, "gateway>edge>alice"},
		"refused": {[]auditgrpc.Option{auditgrpc.WithPropagated(func(_, _ otelaudit.Actor) bool { return false })}, "gateway"},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				edge, orders := newService(t, "edge", ours), newService(t, "orders", ours)
				target := orders.serve(t, orders.handler(), is(own), track, tc.opts...)
				conn := edge.dial(t, target, map[string]string{target: "orders"})
				require.NoError(t, call(otelaudit.ContextWithActor(t.Context(), otelaudit.User("alice")), conn))
				require.Equal(t, tc.want, chain(only(t, orders.tr).Actor))
			})
		}
	}
}

// Whatever comes in the metadata, nobody becomes the actor but whom a valid token names.
func TestForgedMetadata(t *testing.T) {
	t.Parallel()
	mallory := otelaudit.User("mallory")
	ctx := t.Context()
	edge, outsider := newService(t, "edge", ours), newService(t, "edge", theirs)
	good := edge.headers(ctx, "orders", mallory, 1)
	require.Contains(t, good["baggage"], "otelaudit.actor=r1.k1.")
	swap := func(from, to string) map[string]string {
		return map[string]string{"traceparent": good["traceparent"], "baggage": strings.Replace(good["baggage"], from, to, 1)}
	}
	for name, headers := range map[string]map[string]string{
		"no signature":           {"traceparent": good["traceparent"], "baggage": good["baggage"][:strings.LastIndexByte(good["baggage"], '.')]},
		"another key":            outsider.headers(ctx, "orders", mallory, 1),
		"an unknown key":         swap(".k1.", ".k2."),
		"another audience":       edge.headers(ctx, "billing", mallory, 1),
		"a message token's kind": swap("r1.", "m1."),
		"replayed":               {"traceparent": edge.headers(ctx, "orders", mallory, 2)["traceparent"], "baggage": good["baggage"]},
		"without a trace":        {"baggage": good["baggage"]},
		"twice":                  {"traceparent": good["traceparent"], "baggage": good["baggage"] + "," + good["baggage"]},
		"plain text":             {"baggage": "otelaudit.actor=user:mallory"},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				orders := newService(t, "orders", ours)
				conn := dial(t, orders.serve(t, orders.handler(), nobody, track, auditgrpc.WithRejectionsTracked()))
				claims := map[string]string{"x-forwarded-user": "mallory", "otelaudit.actor": "mallory", "authorization": "Bearer mallory"}
				require.NoError(t, call(send(t.Context(), headers, claims), conn))

				records := orders.tr.Records()
				require.Len(t, records, 2)
				for _, r := range records {
					require.Equal(t, otelaudit.Anonymous(), r.Actor)
					require.Equal(t, "127.0.0.1", r.Request.ClientAddress)
				}
				require.Equal(t, "otelaudit.actor_token.reject", records[0].Action)
				require.Equal(t, otelaudit.Denied, records[0].Outcome)
				require.Equal(t, "word.hear", records[1].Action)
			})
		}
	}
	for kind, call := range kinds {
		t.Run("the real one/"+kind, func(t *testing.T) {
			t.Parallel()
			orders := newService(t, "orders", ours)
			conn := dial(t, orders.serve(t, orders.handler(), nobody, track, auditgrpc.WithRejectionsTracked()))
			require.NoError(t, call(send(t.Context(), good), conn))
			require.Equal(t, "edge>mallory", chain(only(t, orders.tr).Actor))
		})
	}
}

// A token counts in whichever value of the metadata it is, and one that is not alone does not, as over HTTP.
func TestSeveralValuesOfBaggage(t *testing.T) {
	t.Parallel()
	edge, outsider := newService(t, "edge", ours), newService(t, "edge", theirs)
	good := edge.headers(t.Context(), "orders", otelaudit.User("alice"), 1)
	forged := outsider.headers(t.Context(), "orders", otelaudit.User("mallory"), 1)["baggage"]
	for name, tc := range map[string]struct {
		values    []string
		rejection propagation.Rejection // "": accepted
	}{
		"good, good":      {[]string{good["baggage"], good["baggage"]}, propagation.RejectionDuplicate},
		"good, forged":    {[]string{good["baggage"], forged}, propagation.RejectionDuplicate},
		"another, forged": {[]string{"a=1", forged}, propagation.RejectionSignature},
		"another, good":   {[]string{"a=1", good["baggage"]}, ""},
		"64, good":        {[]string{strings.Repeat("a=1,", 63) + "a=1", good["baggage"]}, propagation.RejectionBaggageLimit},
		"8 kB, good":      {[]string{good["baggage"], "a=" + strings.Repeat("1", 8190)}, propagation.RejectionBaggageLimit},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				orders := newService(t, "orders", ours)
				var got propagation.Rejection
				conn := dial(t, orders.serve(t, orders.handler(), nobody, func(ctx context.Context, word string) error {
					got, _ = propagation.RejectionFromContext(ctx)
					return track(ctx, word)
				}, auditgrpc.WithRejectionsTracked()))
				ctx := send(t.Context(), map[string]string{"traceparent": good["traceparent"]})
				for _, value := range tc.values {
					ctx = send(ctx, map[string]string{"baggage": value})
				}
				require.NoError(t, call(ctx, conn))
				require.Equal(t, tc.rejection, got)
				if tc.rejection == "" {
					require.Equal(t, "edge>alice", chain(only(t, orders.tr).Actor))
					return
				}
				records := orders.tr.Records()
				require.Len(t, records, 2)
				require.Equal(t, "otelaudit.actor_token.reject", records[0].Action)
				require.Equal(t, otelaudit.Anonymous(), records[1].Actor)
			})
		}
	}
}

// Tenant and reason of a token go with its actor; the operation, which is everybody's, stays.
func TestWhatGoesWithThePropagatedActor(t *testing.T) {
	t.Parallel()
	own := is(otelaudit.Actor{Type: otelaudit.ActorService, ID: "gateway", Trust: otelaudit.TrustVerified})
	refuse := func(context.Context, string) (otelaudit.Actor, error) {
		return otelaudit.Actor{}, auditgrpc.ErrUnauthenticated
	}
	for name, tc := range map[string]struct {
		actor actorFunc
		opt   auditgrpc.Option
		want  []string // tenant, reason, operation
	}{
		"wins":      {own, auditgrpc.WithRejectionsTracked(), []string{"", "", "op-1"}},
		"refused":   {own, auditgrpc.WithPropagated(func(_, _ otelaudit.Actor) bool { return false }), []string{"", "", "op-1"}},
		"anonymous": {refuse, auditgrpc.WithAnonymousOnError(), []string{"", "", "op-1"}},
		"allowed":   {own, auditgrpc.WithPropagated(func(_, _ otelaudit.Actor) bool { return true }), []string{"acme", "ticket 7", "op-1"}},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				edge, orders := newService(t, "edge", ours), newService(t, "orders", ours)
				target := orders.serve(t, orders.handler(), tc.actor, track, tc.opt)
				ctx := otelaudit.ContextWithActor(t.Context(), otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", Tenant: "acme"})
				ctx = otelaudit.ContextWithReason(otelaudit.ContextWithOperation(ctx, "op-1"), "ticket 7")
				require.NoError(t, call(ctx, edge.dial(t, target, map[string]string{target: "orders"})))
				r := only(t, orders.tr)
				require.Equal(t, tc.want, []string{r.Tenant, r.Reason, r.Operation})
			})
		}
	}
}

// A rejection that cannot be recorded refuses the call, also one that is refused for its credentials.
func TestRejectionThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	forged := map[string]string{"baggage": "otelaudit.actor=user:mallory"}
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			orders := newService(t, "orders", ours)
			orders.tr.FailWith(otelaudit.ErrTimeout)
			conn := dial(t, orders.serve(t, orders.handler(), nobody, func(context.Context, string) error { return nil }, auditgrpc.WithRejectionsTracked()))
			requireStatus(t, "Unavailable", call(send(t.Context(), forged), conn))
			require.NoError(t, call(t.Context(), conn)) // nothing to record
		})
	}
}

// A rejection is recorded by whom the service knows, and also where the call goes no further.
func TestWhoseTokenWasRejected(t *testing.T) {
	t.Parallel()
	alice := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", Trust: otelaudit.TrustVerified}
	refuse := func(context.Context, string) (otelaudit.Actor, error) {
		return otelaudit.Actor{}, auditgrpc.ErrUnauthenticated
	}
	silent := func(context.Context, string) error { return nil }
	for name, tc := range map[string]struct {
		actor  actorFunc
		want   otelaudit.Actor
		status string
	}{
		"authenticated":     {is(alice), alice, "OK"},
		"no credentials":    {nobody, otelaudit.Anonymous(), "OK"},
		"nobody asks":       {nil, otelaudit.Anonymous(), "OK"},
		"wrong credentials": {refuse, otelaudit.Anonymous(), "Unauthenticated"},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				orders := newService(t, "orders", ours)
				conn := dial(t, orders.serve(t, orders.handler(), tc.actor, silent, auditgrpc.WithRejectionsTracked()))
				requireStatus(t, tc.status, call(send(t.Context(), map[string]string{"baggage": "otelaudit.actor=x"}), conn))
				require.Equal(t, tc.want, only(t, orders.tr).Actor)
			})
		}
	}
}

// At the edge a token from outside is gone before anybody reads it, also a valid one, and the rest of the baggage is not.
func TestEdgeHandler(t *testing.T) {
	t.Parallel()
	insider := newService(t, "orders", ours)
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			edge := newService(t, "edge", ours)
			var left []string
			h := func(ctx context.Context, word string) error {
				left = append(received(ctx, "baggage"), baggage.FromContext(ctx).String())
				return track(ctx, word)
			}
			conn := dial(t, edge.serve(t, auditgrpc.EdgeHandler(edge.serverHandler()), nobody, h, auditgrpc.WithRejectionsTracked()))
			valid := insider.headers(t.Context(), "edge", otelaudit.User("mallory"), 1)
			valid["baggage"] = "colour=blue," + valid["baggage"]
			require.NoError(t, call(send(t.Context(), valid, map[string]string{"Baggage": "size=7,otelaudit.actor=x"}), conn))
			require.Equal(t, "colour=blue,size=7", left[0])
			require.ElementsMatch(t, []string{"colour=blue", "size=7"}, strings.Split(left[1], ","))
			require.Len(t, left, 2)
			require.NoError(t, call(send(t.Context(), map[string]string{"baggage": "otelaudit.actor=x"}), conn))
			require.Equal(t, []string{""}, left)
			require.NoError(t, call(t.Context(), conn))

			records := edge.tr.Records() // no rejection among them
			require.Len(t, records, 3)
			operations := map[string]bool{}
			for _, r := range records {
				require.Equal(t, otelaudit.Anonymous(), r.Actor)
				require.NotEmpty(t, r.Operation)
				operations[r.Operation] = true
			}
			require.Len(t, operations, 3)
		})
	}
}

// Whatever baggage a stranger brings, the next service learns who acts: ours has room behind it.
func TestEdgeLeavesRoom(t *testing.T) {
	t.Parallel()
	var members []string
	for i := range 64 {
		members = append(members, fmt.Sprintf("k%d=v", i))
	}
	for name, values := range map[string][]string{
		"64 members":           {strings.Join(members, ",")},
		"64 values":            members,
		"8,190 bytes":          {"a=1", "b=" + strings.Repeat("x", 8184)},
		"64 members, and ours": {"otelaudit.actor=x", strings.Join(members, ",")},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				edge, orders := newService(t, "edge", ours), newService(t, "orders", ours)
				toOrders := orders.serve(t, orders.handler(), nobody, track)
				conn := edge.dial(t, toOrders, map[string]string{toOrders: "orders"})
				toEdge := edge.serve(t, auditgrpc.EdgeHandler(edge.serverHandler()), is(otelaudit.User("alice")), through(t, conn, call))
				ctx := t.Context()
				for _, value := range values {
					ctx = metadata.AppendToOutgoingContext(ctx, "baggage", value)
				}
				require.NoError(t, call(ctx, dial(t, toEdge)))
				require.Equal(t, "edge>alice", chain(only(t, orders.tr).Actor))
				require.Equal(t, only(t, edge.tr).Operation, only(t, orders.tr).Operation)
			})
		}
	}
}
