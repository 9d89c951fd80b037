package auditgrpc_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
)

type actorFunc = func(ctx context.Context, fullMethod string) (otelaudit.Actor, error)

func is(a otelaudit.Actor) actorFunc {
	return func(context.Context, string) (otelaudit.Actor, error) { return a, nil }
}

// audited returns the options of a server whose calls find tr and have been changed by ctx, before our interceptors.
func audited(tr *audittest.Trail, known *otelaudit.Actor, actor actorFunc, opts ...auditgrpc.Option) []grpc.ServerOption {
	return before(func(ctx context.Context) context.Context {
		ctx = otelaudit.ContextWithTrail(ctx, tr)
		if known != nil {
			ctx = otelaudit.ContextWithActor(ctx, *known)
		}
		return ctx
	}, auditgrpc.UnaryServerInterceptor(actor, opts...), auditgrpc.StreamServerInterceptor(actor, opts...))
}

func only(t *testing.T, tr *audittest.Trail) *otelaudit.Record {
	t.Helper()
	records := tr.Records()
	require.Len(t, records, 1)
	return records[0]
}

func propagated(parties ...otelaudit.Actor) *otelaudit.Actor {
	a := parties[0]
	a.Trust = otelaudit.TrustPropagated
	for _, p := range parties[1:] {
		p.Trust = otelaudit.TrustPropagated
		a = a.For(p)
	}
	return &a
}

func TestWhoActs(t *testing.T) {
	t.Parallel()
	alice, orders := otelaudit.User("alice"), otelaudit.Service("orders")
	alice.Trust, orders.Trust = otelaudit.TrustVerified, otelaudit.TrustVerified
	edgeForBob := propagated(otelaudit.Service("edge"), otelaudit.User("bob"))
	ordersForBob := propagated(otelaudit.Service("orders"), otelaudit.User("bob"))
	declared := otelaudit.System("outer")
	refuse := func(context.Context, string) (otelaudit.Actor, error) { return alice, errors.New("secret detail") }
	allow := auditgrpc.WithPropagated(func(own, propagated otelaudit.Actor) bool {
		return own.ID == "orders" && propagated.ID == "edge"
	})
	always := auditgrpc.WithPropagated(func(_, _ otelaudit.Actor) bool { return true })
	never := auditgrpc.WithPropagated(func(_, _ otelaudit.Actor) bool { panic("asked") })
	for name, tc := range map[string]struct {
		known *otelaudit.Actor // in the context already
		actor actorFunc
		opts  []auditgrpc.Option
		want  otelaudit.Actor // zero: the call is refused
	}{
		"somebody":                            {actor: is(alice), want: alice},
		"no credentials":                      {actor: is(otelaudit.Actor{}), want: otelaudit.Anonymous()},
		"no credentials, propagated":          {known: edgeForBob, actor: is(otelaudit.Actor{}), want: *edgeForBob},
		"no credentials, zero known":          {known: &otelaudit.Actor{}, actor: is(otelaudit.Actor{}), want: otelaudit.Anonymous()},
		"own wins":                            {known: edgeForBob, actor: is(orders), want: orders},
		"nil leaves what is there":            {known: edgeForBob, want: *edgeForBob},
		"nil leaves nothing":                  {want: otelaudit.Actor{Type: otelaudit.ActorUnknown}},
		"error":                               {actor: refuse},
		"error, propagated":                   {known: edgeForBob, actor: refuse},
		"error, anonymous":                    {known: edgeForBob, actor: refuse, opts: []auditgrpc.Option{auditgrpc.WithAnonymousOnError()}, want: otelaudit.Anonymous()},
		"allowed":                             {known: edgeForBob, actor: is(orders), opts: []auditgrpc.Option{allow}, want: orders.For(*edgeForBob)},
		"not allowed":                         {known: edgeForBob, actor: is(alice), opts: []auditgrpc.Option{allow}, want: alice},
		"allowed, nobody propagated":          {actor: is(orders), opts: []auditgrpc.Option{allow}, want: orders},
		"allowed, no credentials":             {known: edgeForBob, actor: is(otelaudit.Actor{}), opts: []auditgrpc.Option{never}, want: *edgeForBob},
		"the same party":                      {known: ordersForBob, actor: is(orders), opts: []auditgrpc.Option{always}, want: orders.For(*propagated(otelaudit.User("bob")))},
		"acts for somebody already":           {known: edgeForBob, actor: is(orders.For(alice)), opts: []auditgrpc.Option{never}, want: orders.For(alice)},
		"known, but not by a token":           {known: &declared, actor: is(orders), opts: []auditgrpc.Option{never}, want: orders},
		"no credentials, error is not needed": {known: &declared, actor: is(otelaudit.Actor{}), want: declared},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				tr := audittest.New(t, audittest.AllowUnknownActor())
				conn := dial(t, serve(t, track, audited(tr, tc.known, tc.actor, tc.opts...)...))
				err := call(t.Context(), conn)
				if tc.want.IsZero() {
					require.Equal(t, status.Error(codes.Unauthenticated, "unauthenticated").Error(), err.Error())
					require.Empty(t, tr.Records())
					return
				}
				require.NoError(t, err)
				require.Equal(t, tc.want, only(t, tr).Actor)
			})
		}
	}
}

func TestUnauthenticatedIsAnsweredAsTold(t *testing.T) {
	t.Parallel()
	why := errors.New("why")
	refuse := func(context.Context, string) (otelaudit.Actor, error) { return otelaudit.Actor{}, why }
	for name, tc := range map[string]struct{ answer, want error }{
		"another error": {status.Error(codes.Unavailable, "try again"), status.Error(codes.Unavailable, "try again")},
		"no error":      {nil, status.Error(codes.Unauthenticated, "unauthenticated")},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				tr := audittest.New(t)
				var method string
				answer := auditgrpc.WithUnauthenticated(func(ctx context.Context, fullMethod string, err error) error {
					method = fullMethod
					return errors.Join(tc.answer, otelaudit.Track(ctx, otelaudit.Activity{Action: "call.refuse", Err: err}))
				})
				err := call(t.Context(), dial(t, serve(t, track, audited(tr, nil, refuse, answer)...)))
				require.Equal(t, status.Code(tc.want), status.Code(err))
				require.Contains(t, []string{sayMethod, talkMethod}, method)
				record := only(t, tr)
				require.Equal(t, otelaudit.Anonymous(), record.Actor)
				require.Equal(t, "127.0.0.1", record.Request.ClientAddress)
				require.Equal(t, method, "/"+record.Request.RPCMethod)
			})
		}
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		sent []string
		id   string
	}{
		"plain":             {[]string{"x-request-id", "r-1", "x-forwarded-for", "203.0.113.66", "forwarded", "for=203.0.113.66"}, "r-1"},
		"no id":             {nil, ""},
		"two ids":           {[]string{"x-request-id", "r-1", "x-request-id", "r-2"}, ""},
		"an id with spaces": {[]string{"x-request-id", "r 1"}, ""},
		"an overlong id":    {[]string{"x-request-id", strings.Repeat("r", 129)}, ""},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				tr := audittest.New(t)
				conn := dial(t, serve(t, track, audited(tr, nil, is(otelaudit.Anonymous()))...), grpc.WithUserAgent("probe/1"))
				require.NoError(t, call(metadata.AppendToOutgoingContext(t.Context(), tc.sent...), conn))
				request := only(t, tr).Request
				require.Contains(t, request.UserAgent, "probe/1 grpc-go/")
				request.UserAgent = ""
				method := map[string]string{"unary": "test.Echo/Say", "stream": "test.Echo/Talk"}[kind]
				require.Equal(t, otelaudit.Request{
					RPCMethod: method, ID: tc.id, PeerAddress: "127.0.0.1", ClientAddress: "127.0.0.1",
				}, request)
			})
		}
	}
}

// Who has no IP address gets none, whatever its end of the connection is called.
func TestPeerAddress(t *testing.T) {
	t.Parallel()
	tcp := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	unix := func(name string) net.Addr { return &net.UnixAddr{Name: name, Net: "unix"} }
	for name, tc := range map[string]struct {
		peer *peer.Peer
		want string
	}{
		"IPv4":                   {&peer.Peer{Addr: tcp("192.0.2.1:80"), LocalAddr: tcp("192.0.2.2:443")}, "192.0.2.1"},
		"mapped IPv4":            {&peer.Peer{Addr: tcp("[::ffff:192.0.2.1]:80")}, "192.0.2.1"},
		"IPv6":                   {&peer.Peer{Addr: tcp("[2001:db8::1]:80")}, "2001:db8::1"},
		"IPv6 with a zone":       {&peer.Peer{Addr: tcp("[fe80::1%eth0]:80")}, "fe80::1%eth0"},
		"by http.Server":         {&peer.Peer{Addr: text("192.0.2.1:80"), LocalAddr: tcp("192.0.2.2:443")}, "192.0.2.1"},
		"by http.Server, mapped": {&peer.Peer{Addr: text("[::ffff:192.0.2.1]:80")}, "192.0.2.1"},
		"by http.Server, Unix":   {&peer.Peer{Addr: text("192.0.2.1:80"), LocalAddr: unix("/run/s")}, ""},
		"by http.Server, wrong":  {&peer.Peer{Addr: text("somebody")}, ""},
		"Unix":                   {&peer.Peer{Addr: unix("192.0.2.1:80"), LocalAddr: unix("/run/s")}, ""},
		"in memory":              {&peer.Peer{Addr: new(bufconn.Listener).Addr()}, ""},
		"no address":             {&peer.Peer{}, ""},
		"no peer":                {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if tc.peer != nil {
				ctx = peer.NewContext(ctx, tc.peer)
			}
			_, err := auditgrpc.UnaryServerInterceptor(nil)(ctx, nil, &grpc.UnaryServerInfo{FullMethod: sayMethod},
				func(ctx context.Context, _ any) (any, error) {
					request, ok := otelaudit.RequestFromContext(ctx)
					require.True(t, ok)
					require.Equal(t, otelaudit.Request{RPCMethod: "test.Echo/Say", PeerAddress: tc.want, ClientAddress: tc.want}, request)
					return nil, nil
				})
			require.NoError(t, err)
		})
	}
}

// text is an address as gRPC has it behind an http.Server.
type text string

func (text) Network() string  { return "tcp" }
func (a text) String() string { return string(a) }

// The actor function and what it tracks see the call's facts.
func TestActorFunctionKnowsTheCall(t *testing.T) {
	t.Parallel()
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			tr := audittest.New(t, audittest.AllowUnknownActor())
			actor := func(ctx context.Context, fullMethod string) (otelaudit.Actor, error) {
				request, ok := otelaudit.RequestFromContext(ctx)
				if !ok || "/"+request.RPCMethod != fullMethod || request.PeerAddress == "" {
					return otelaudit.Actor{}, errors.New("the call's facts are not there")
				}
				return otelaudit.User("alice"), nil
			}
			require.NoError(t, call(t.Context(), dial(t, serve(t, track, audited(tr, nil, actor)...))))
			require.Equal(t, "alice", only(t, tr).Actor.ID)
		})
	}
}

// A panic is as it was for whoever recovers further out.
func TestPanicsPassThrough(t *testing.T) {
	t.Parallel()
	thrown := errors.New("thrown")
	throw := func(context.Context, string) (otelaudit.Actor, error) { panic(thrown) }
	unary := func(actor actorFunc, next grpc.UnaryHandler) {
		_, _ = auditgrpc.UnaryServerInterceptor(actor)(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: sayMethod}, next)
	}
	stream := func(actor actorFunc, next grpc.StreamHandler) {
		_ = auditgrpc.StreamServerInterceptor(actor)(nil, changed{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: talkMethod}, next)
	}
	for name, f := range map[string]func(){
		"unary handler":         func() { unary(is(otelaudit.User("alice")), func(context.Context, any) (any, error) { panic(thrown) }) },
		"stream handler":        func() { stream(is(otelaudit.User("alice")), func(any, grpc.ServerStream) error { panic(thrown) }) },
		"unary actor function":  func() { unary(throw, nil) },
		"stream actor function": func() { stream(throw, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() { require.Same(t, thrown, recover()) }()
			f()
		})
	}
}

func TestFromContext(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		got  otelaudit.Actor
		ok   bool
		want otelaudit.Actor
	}{
		"verified":         {otelaudit.User("alice"), true, otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", Trust: otelaudit.TrustVerified}},
		"stays propagated": {*propagated(otelaudit.User("alice")), true, *propagated(otelaudit.User("alice"))},
		"anonymous":        {otelaudit.Anonymous(), true, otelaudit.Anonymous()},
		"nobody":           {otelaudit.User("alice"), false, otelaudit.Actor{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := auditgrpc.FromContext(func(context.Context) (otelaudit.Actor, bool) { return tc.got, tc.ok })(t.Context(), sayMethod)
			require.NoError(t, err)
			require.Equal(t, tc.want, a)
		})
	}
}
