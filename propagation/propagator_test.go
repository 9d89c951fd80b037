package propagation_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// world is a service's propagator with a clock that stands still, and its metrics.
type world struct {
	*propagation.Propagator
	reader *sdkmetric.ManualReader
}

func newWorld(tb testing.TB, service string, change ...func(*propagation.Config)) world {
	tb.Helper()
	reader := sdkmetric.NewManualReader()
	c := propagation.Config{
		Service:       service,
		Keys:          forgeryKeys(tb),
		MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
		Now:           func() time.Time { return forgeryTime },
	}
	for _, f := range change {
		f(&c)
	}
	p, err := propagation.New(c)
	require.NoError(tb, err)
	return world{p, reader}
}

// counts returns what the metric says, by result.
func (w world) counts(t *testing.T, name string) map[string]int64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	require.NoError(t, w.reader.Collect(context.WithoutCancel(t.Context()), &data))
	counts := map[string]int64{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			sum, ok := m.Data.(metricdata.Sum[int64])
			require.True(t, ok)
			for _, p := range sum.DataPoints {
				result, ok := p.Attributes.Value("otelaudit.result")
				require.True(t, ok)
				require.Equal(t, 1, p.Attributes.Len())
				counts[result.AsString()] = p.Value
			}
		}
	}
	return counts
}

const (
	extractedMetric = "otelaudit.propagation.extracted"
	injectedMetric  = "otelaudit.propagation.injected"
)

// contextOf returns a context of forgeryTrace in which actor acts.
func contextOf(t *testing.T, actor otelaudit.Actor) context.Context {
	t.Helper()
	ctx := otelpropagation.TraceContext{}.Extract(t.Context(), otelpropagation.MapCarrier{"traceparent": forgeryTraceparent})
	if actor.IsZero() {
		return ctx
	}
	return otelaudit.ContextWithActor(ctx, actor)
}

func withBaggage(t *testing.T, ctx context.Context, text string) context.Context {
	t.Helper()
	b, err := baggage.Parse(text)
	require.NoError(t, err)
	return baggage.ContextWithBaggage(ctx, b)
}

// membersOf returns the members of baggage headers, sorted: OpenTelemetry writes them in no order.
func membersOf(lines ...string) []string {
	var members []string
	for _, line := range lines {
		for m := range strings.SplitSeq(line, ",") {
			if m != "" {
				members = append(members, m)
			}
		}
	}
	slices.Sort(members)
	return members
}

// tokenOf returns the token in a header, and the other members.
func tokenOf(t *testing.T, lines ...string) (token string, others []string) {
	t.Helper()
	for _, m := range membersOf(lines...) {
		if value, ok := strings.CutPrefix(m, ours); ok {
			require.Empty(t, token, "it is there once")
			token = value
			continue
		}
		others = append(others, m)
	}
	return token, others
}

func headersOf(f forgery) http.Header {
	h := http.Header{}
	if len(f.Baggage) > 0 {
		h["Baggage"] = f.Baggage
	}
	if len(f.Traceparent) > 0 {
		h["Traceparent"] = f.Traceparent
	}
	return h
}

func carrierOf(f forgery) otelpropagation.HeaderCarrier {
	return otelpropagation.HeaderCarrier(headersOf(f))
}

// A genuine token says all that edge said, and edge itself.
func TestExtract(t *testing.T) {
	t.Parallel()
	alice := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", AuthMethod: "oidc", Trust: otelaudit.TrustPropagated}
	edge := otelaudit.Actor{Type: otelaudit.ActorService, ID: "edge", Tenant: "acme", AuthMethod: "actor_token", Trust: otelaudit.TrustPropagated}
	member := ours + genuine().signed()
	partner := genuine()
	partner.kid, partner.issuer, partner.audience = "partner", "partner", "orders.example"
	untraced := genuine()
	untraced.trace = strings.Repeat("0", 32)
	acting := genuine()
	acting.parties = []forgedParty{{2, "edge", "", ""}, {1, "alice", "", "oidc"}}
	for name, tc := range map[string]struct {
		lines       []string
		traceparent string
		want        otelaudit.Actor
	}{
		"alone":                   {[]string{member}, forgeryTraceparent, edge.For(alice)},
		"among others":            {[]string{"a=1," + member + ",b=2"}, forgeryTraceparent, edge.For(alice)},
		"in a line of its own":    {[]string{"a=1", member, "b=2"}, forgeryTraceparent, edge.For(alice)},
		"white space":             {[]string{"a=1 ,\totelaudit.actor = " + member[len(ours):] + "\t ,b=2"}, forgeryTraceparent, edge.For(alice)},
		"64 members":              {[]string{strings.Repeat("a=1,", 63) + member}, forgeryTraceparent, edge.For(alice)},
		"8,192 bytes":             {[]string{"a=" + strings.Repeat("x", 8192-len("a=,")-len(member)), member}, forgeryTraceparent, edge.For(alice)},
		"another of our names":    {[]string{ours + partner.signed()}, forgeryTraceparent, otelaudit.Actor{Type: otelaudit.ActorService, ID: "partner", Tenant: "acme", AuthMethod: "actor_token", Trust: otelaudit.TrustPropagated}.For(alice)},
		"no trace":                {[]string{ours + untraced.signed()}, "", edge.For(alice)},
		"no trace that is valid":  {[]string{ours + untraced.signed()}, "00-nonsense", edge.For(alice)},
		"the issuer is not twice": {[]string{ours + acting.signed()}, forgeryTraceparent, edge.For(alice)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "orders", func(c *propagation.Config) { c.Audiences = []string{"orders.example"} })
			h := http.Header{"Baggage": tc.lines}
			if tc.traceparent != "" {
				h.Set("Traceparent", tc.traceparent)
			}
			before := h.Clone()
			ctx := w.Extract(t.Context(), otelpropagation.HeaderCarrier(h))
			requireActor(t, ctx, tc.want)
			_, ok := otelaudit.TenantFromContext(ctx)
			require.False(t, ok, "the tenant is the actor's, and goes where that goes")
			operation, _ := otelaudit.OperationFromContext(ctx)
			require.Equal(t, "op-1", operation)
			reason, _ := otelaudit.ReasonFromContext(ctx)
			require.Equal(t, "ticket 7", reason)
			_, rejected := propagation.RejectionFromContext(ctx)
			require.False(t, rejected)
			require.Empty(t, baggage.FromContext(ctx).Member("otelaudit.actor").Key())
			require.Equal(t, before, h, "the carrier stays")
			require.Equal(t, map[string]int64{"accepted": 1}, w.counts(t, extractedMetric))
		})
	}
}

func requireActor(t *testing.T, ctx context.Context, want otelaudit.Actor) {
	t.Helper()
	got, ok := otelaudit.ActorFromContext(ctx)
	require.True(t, ok)
	require.Equal(t, want, got)
}

// A carrier of one value for each key, such as that of a message or of gRPC's metadata.
func TestExtractFromAMap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "orders")
	carrier := otelpropagation.MapCarrier{"baggage": "a=1," + ours + genuine().signed(), "traceparent": forgeryTraceparent}
	ctx := w.Extract(t.Context(), carrier)
	actor, _ := otelaudit.ActorFromContext(ctx)
	require.Equal(t, "edge", actor.ID)
	require.Equal(t, "a=1", baggage.FromContext(ctx).String())
}

// What the context says already stays: own authentication wins, in whatever order.
func TestExtractReplacesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "orders")
	bo := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "bo", Trust: otelaudit.TrustVerified}
	ctx := otelaudit.ContextWithActor(t.Context(), bo)
	ctx = otelaudit.ContextWithTenant(ctx, "own tenant")
	ctx = otelaudit.ContextWithOperation(ctx, "own operation")
	ctx = otelaudit.ContextWithReason(ctx, "own reason")
	ctx = w.Extract(ctx, carrierOf(ofToken("", genuine().signed(), "")))
	requireActor(t, ctx, bo)
	tenant, _ := otelaudit.TenantFromContext(ctx)
	operation, _ := otelaudit.OperationFromContext(ctx)
	reason, _ := otelaudit.ReasonFromContext(ctx)
	require.Equal(t, []string{"own tenant", "own operation", "own reason"}, []string{tenant, operation, reason})

	ctx = w.Extract(otelaudit.ContextWithActor(t.Context(), otelaudit.Actor{}), carrierOf(ofToken("", genuine().signed(), "")))
	actor, _ := otelaudit.ActorFromContext(ctx)
	require.Equal(t, "edge", actor.ID, "the zero Actor is nobody")
}

// Without our member it is OpenTelemetry's Baggage, with it that of the others.
func TestExtractLeavesOthersToOTel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "orders")
	member := ours + genuine().signed()
	part := rapid.SampledFrom([]string{"a=1", " b = %2C ; p = q;r", "c=%zz", "é=1", "d", "", "=", "a=2", "e=a=b", "f=" + strings.Repeat("x", 4000)})
	rapid.Check(t, func(r *rapid.T) {
		lines := rapid.SliceOfN(rapid.Map(rapid.SliceOfN(part, 1, 5), func(members []string) string { return strings.Join(members, ",") }), 0, 4).Draw(r, "lines")
		extracted := func(p otelpropagation.TextMapPropagator, lines []string) []string {
			ctx := p.Extract(t.Context(), otelpropagation.HeaderCarrier{"Baggage": lines})
			return membersOf(baggage.FromContext(ctx).String())
		}
		want := extracted(otelpropagation.Baggage{}, lines)
		require.Equal(r, want, extracted(w, lines))
		with := slices.Insert(slices.Clone(lines), rapid.IntRange(0, len(lines)).Draw(r, "at"), member)
		require.Equal(r, want, extracted(w, with))
	})
}

// A Baggage that ran before us has put our member where it does not belong.
func TestExtractTakesOursOutOfTheContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "orders")
	carrier := otelpropagation.HeaderCarrier{"Baggage": {"a=1," + ours + genuine().signed() + ",OTELAUDIT.actor=x,%6Ftelaudit.actor=y"}}
	ctx := otelpropagation.NewCompositeTextMapPropagator(otelpropagation.Baggage{}, w).Extract(t.Context(), carrier)
	require.Equal(t, "a=1", baggage.FromContext(ctx).String())
	rejection, _ := propagation.RejectionFromContext(ctx)
	require.Equal(t, propagation.RejectionDuplicate, rejection)

	for name, h := range map[string]http.Header{
		"alone in the carrier": {"Baggage": {ours + genuine().signed()}},
		"nothing in it":        {},
	} {
		before := withBaggage(t, t.Context(), "otelaudit.actor=left,b=2")
		ctx := w.Extract(before, otelpropagation.HeaderCarrier(h))
		require.Equal(t, "b=2", baggage.FromContext(ctx).String(), name)
	}
}

// What was rejected before is no matter once a token is taken; and nobody's audience comes in.
func TestExtractAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "orders")
	ctx := w.Extract(propagation.ContextWithAudience(t.Context(), "left behind"), otelpropagation.HeaderCarrier{"Baggage": {ours + "nonsense"}})
	require.Empty(t, propagation.AudienceFromContext(ctx))
	_, rejected := propagation.RejectionFromContext(ctx)
	require.True(t, rejected)
	ctx = w.Extract(ctx, carrierOf(ofToken("", genuine().signed(), "")))
	_, rejected = propagation.RejectionFromContext(ctx)
	require.False(t, rejected)
}

func TestInject(t *testing.T) {
	t.Parallel()
	alice := otelaudit.User("alice")
	five := alice.For(otelaudit.User("b")).For(otelaudit.User("c")).For(otelaudit.User("d")).For(otelaudit.User("e"))
	full := strings.Repeat("x", 8050)
	circle := otelaudit.Service("circle")
	circle.OnBehalfOf = &circle
	for name, tc := range map[string]struct {
		actor    otelaudit.Actor
		audience string
		baggage  string // of the context
		carrier  []string
		others   []string // that are sent
		result   string   // that is counted, "" for none
		change   func(*propagation.Config)
	}{
		"sent":                         {actor: alice, audience: "orders", result: "sent"},
		"behind others":                {actor: alice, audience: "orders", baggage: "a=1,b=2;p=q", others: []string{"a=1", "b=2;p=q"}, result: "sent"},
		"behind what the carrier has":  {actor: alice, audience: "orders", carrier: []string{"a= 1", "b=2 ;p"}, others: []string{"a= 1", "b=2 ;p"}, result: "sent"},
		"the context's goes first":     {actor: alice, audience: "orders", baggage: "a=1", carrier: []string{"b=2"}, others: []string{"a=1"}, result: "sent"},
		"no audience":                  {actor: alice, baggage: "a=1", others: []string{"a=1"}},
		"no audience, carrier's stay":  {actor: alice, carrier: []string{"a=1", "b=2"}, others: []string{"a=1", "b=2"}},
		"nobody":                       {audience: "orders", baggage: "a=1", others: []string{"a=1"}},
		"unknown":                      {actor: otelaudit.Actor{Type: otelaudit.ActorUnknown}, audience: "orders"},
		"anonymous":                    {actor: otelaudit.Anonymous(), audience: "orders", result: "sent"},
		"for four others":              {actor: five, audience: "orders", result: "sent"},
		"for five others":              {actor: five.For(otelaudit.User("f")), audience: "orders", result: "sent"},
		"for itself":                   {actor: circle, audience: "orders", baggage: "a=1", others: []string{"a=1"}, result: "chain"},
		"an id that is too long":       {actor: otelaudit.User(strings.Repeat("x", 2048)), audience: "orders", result: "too_long"},
		"an id that no token may hold": {actor: otelaudit.User("a\nb"), audience: "orders", result: "unusable"},
		"no key": {actor: alice, audience: "orders", baggage: "a=1", others: []string{"a=1"}, result: "no_key", change: func(c *propagation.Config) {
			key, err := propagation.Ed25519PublicKey("partner", publicKeyOf(t, "partner"), "partner")
			require.NoError(t, err)
			c.Keys, err = propagation.NewKeyring(key)
			require.NoError(t, err)
		}},
		"no room for bytes":                    {actor: alice, audience: "orders", baggage: "a=" + full, others: []string{"a=" + full}, result: "baggage_limit"},
		"no room for bytes beside the carrier": {actor: alice, audience: "orders", carrier: []string{"a=" + full}, others: []string{"a=" + full}, result: "baggage_limit"},
		"ours of the carrier, no audience":     {actor: alice, carrier: []string{"a=1," + ours + "T", "OTELAUDIT.ACTOR=T"}, others: []string{"a=1"}},
		"ours of the carrier is replaced":      {actor: alice, audience: "orders", carrier: []string{"a=1," + ours + "T"}, others: []string{"a=1"}, result: "sent"},
		"only ours in the carrier":             {actor: alice, carrier: []string{ours + "T"}},
		"ours of the context":                  {actor: alice, baggage: "a=1," + ours + "T,OTELAUDIT.ACTOR=U", others: []string{"a=1"}},
		"ours of the context is replaced":      {actor: alice, audience: "orders", baggage: "a=1," + ours + "T", others: []string{"a=1"}, result: "sent"},
		"only ours in the context":             {actor: alice, baggage: ours + "T", carrier: []string{"a=1"}, others: []string{"a=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var change []func(*propagation.Config)
			if tc.change != nil {
				change = append(change, tc.change)
			}
			w := newWorld(t, "edge", change...)
			ctx := contextOf(t, tc.actor)
			if tc.baggage != "" {
				ctx = withBaggage(t, ctx, tc.baggage)
			}
			h := http.Header{}
			if tc.carrier != nil {
				h["Baggage"] = slices.Clone(tc.carrier)
			}
			carrier := otelpropagation.HeaderCarrier(h)
			for range 2 { // to inject twice is to inject once
				w.Inject(propagation.ContextWithAudience(ctx, tc.audience), carrier)
				token, others := tokenOf(t, h["Baggage"]...)
				require.Equal(t, membersOf(tc.others...), others)
				require.Equal(t, tc.result == "sent", token != "")
				if token != "" {
					require.True(t, strings.HasSuffix(h.Get("Baggage"), ours+token), "it is the last")
				}
			}
			want := map[string]int64{}
			if tc.result != "" {
				want[tc.result] = 2
			}
			require.Equal(t, want, w.counts(t, injectedMetric))
		})
	}
}

// A header is filled to the last byte and the last member, and not beyond.
func TestInjectLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "edge")
	ctx := contextOf(t, otelaudit.User("alice"))
	inject := func(carrier otelpropagation.MapCarrier) {
		w.Inject(propagation.ContextWithAudience(ctx, "orders"), carrier)
	}
	empty := otelpropagation.MapCarrier{}
	inject(empty)
	length := len(empty["baggage"])

	room := 8192 - length - len(",a=")
	for size, want := range map[int]bool{room: true, room + 1: false} {
		carrier := otelpropagation.MapCarrier{"baggage": "a=" + strings.Repeat("x", size)}
		inject(carrier)
		token, _ := tokenOf(t, carrier["baggage"])
		require.Equal(t, want, token != "", size)
		require.LessOrEqual(t, len(carrier["baggage"]), 8192)
	}
	for members, want := range map[int]bool{63: true, 64: false} {
		carrier := otelpropagation.MapCarrier{"baggage": strings.TrimSuffix(strings.Repeat("a=1,", members), ",")}
		inject(carrier)
		token, _ := tokenOf(t, carrier["baggage"])
		require.Equal(t, want, token != "", members)
	}
}

// SetMember checks nothing, so an application can have more than a header may hold. That goes out as OpenTelemetry sends it.
func TestInjectBesideTooMuch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "edge")
	b := baggage.Baggage{}
	for i := range 100 {
		m, err := baggage.NewMemberRaw(fmt.Sprintf("k%d", i), strings.Repeat("v", 200))
		require.NoError(t, err)
		b, err = b.SetMember(m)
		require.NoError(t, err)
	}
	require.Equal(t, 100, b.Len())
	ctx := propagation.ContextWithAudience(contextOf(t, otelaudit.User("alice")), "orders")
	ctx = baggage.ContextWithBaggage(ctx, b)
	carrier, otel := otelpropagation.MapCarrier{}, otelpropagation.MapCarrier{}
	w.Inject(ctx, carrier)
	otelpropagation.Baggage{}.Inject(ctx, otel)
	require.Equal(t, membersOf(otel["baggage"]), membersOf(carrier["baggage"]))
	require.Equal(t, map[string]int64{"baggage_limit": 1}, w.counts(t, injectedMetric))
}

// What is injected is extracted, whatever the order of the composite on either side.
func TestCompositeOrders(t *testing.T) {
	t.Parallel()
	tc := otelpropagation.TraceContext{}
	orders := map[string]func(world) otelpropagation.TextMapPropagator{
		"trace first": func(w world) otelpropagation.TextMapPropagator {
			return otelpropagation.NewCompositeTextMapPropagator(tc, w)
		},
		"ours first": func(w world) otelpropagation.TextMapPropagator {
			return otelpropagation.NewCompositeTextMapPropagator(w, tc)
		},
		"behind a Baggage": func(w world) otelpropagation.TextMapPropagator {
			return otelpropagation.NewCompositeTextMapPropagator(tc, otelpropagation.Baggage{}, w)
		},
	}
	stale := "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-01"
	for sender, out := range orders {
		for receiver, in := range orders {
			for _, traced := range []bool{true, false} {
				edge, service := newWorld(t, "edge"), newWorld(t, "orders")
				ctx := otelaudit.ContextWithActor(t.Context(), otelaudit.User("alice"))
				h := http.Header{}
				if traced {
					ctx = contextOf(t, otelaudit.User("alice"))
					h.Set("Traceparent", stale) // as a reverse proxy forwards it
				}
				ctx = withBaggage(t, ctx, "a=1,b=2")
				carrier := otelpropagation.HeaderCarrier(h)
				for range 2 {
					out(edge).Inject(propagation.ContextWithAudience(ctx, "orders"), carrier)
				}
				got := in(service).Extract(t.Context(), carrier)
				actor, ok := otelaudit.ActorFromContext(got)
				require.True(t, ok, "%s, %s, traced: %v: %v", sender, receiver, traced, h)
				require.Equal(t, "alice", actor.OnBehalfOf.ID)
				require.Equal(t, traced, trace.SpanContextFromContext(got).IsValid())
				require.Equal(t, []string{"a=1", "b=2"}, membersOf(baggage.FromContext(got).String()))
			}
		}
	}
}

// Where the context has no trace, what the carrier has of one goes out, and so it counts.
func TestInjectBindsToTheCarriersTrace(t *testing.T) {
	t.Parallel()
	ctx := otelaudit.ContextWithActor(propagation.ContextWithAudience(t.Context(), "orders"), otelaudit.User("alice"))
	carrier := otelpropagation.MapCarrier{"traceparent": forgeryTraceparent}
	newWorld(t, "edge").Inject(ctx, carrier)
	got := newWorld(t, "orders").Extract(t.Context(), carrier)
	actor, _ := otelaudit.ActorFromContext(got)
	require.Equal(t, "edge", actor.ID)
}

func TestFields(t *testing.T) {
	t.Parallel()
	require.Equal(t, otelpropagation.Baggage{}.Fields(), newWorld(t, "edge").Fields())
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*propagation.Config){
		"Config.Service is empty":             func(c *propagation.Config) { c.Service = "" },
		"Config.Service has 129 bytes":        func(c *propagation.Config) { c.Service = strings.Repeat("x", 129) },
		"Config.Audiences[1]":                 func(c *propagation.Config) { c.Audiences = []string{"a", ""} },
		"Config.Keys is nil":                  func(c *propagation.Config) { c.Keys = nil },
		"Config.Lifetime is -1s":              func(c *propagation.Config) { c.Lifetime = -time.Second },
		"Config.Lifetime is 1.5s":             func(c *propagation.Config) { c.Lifetime = 1500 * time.Millisecond },
		"Config.Lifetime is 5m1s":             func(c *propagation.Config) { c.Lifetime = 301 * time.Second },
		"Config.MessageLifetime is 720h0m1s":  func(c *propagation.Config) { c.MessageLifetime = 30*24*time.Hour + time.Second },
		"Config.MessageLifetime is 1ns: want": func(c *propagation.Config) { c.MessageLifetime = 1 },
		"Config.Service is \"a\\nb\"":         func(c *propagation.Config) { c.Service = "a\nb" },
		"Config.Audiences[0] is \"\\xff\"":    func(c *propagation.Config) { c.Audiences = []string{"\xff"} },
	} {
		c := propagation.Config{Service: "orders", Keys: forgeryKeys(t)}
		change(&c)
		_, err := propagation.New(c)
		require.ErrorContains(t, err, "propagation: "+want)
	}
}

// New keeps nothing that its caller can change.
func TestNewCopies(t *testing.T) {
	t.Parallel()
	audiences := []string{"billing"}
	w := newWorld(t, "orders", func(c *propagation.Config) { c.Audiences = audiences })
	audiences[0] = "other"
	f := genuine()
	f.audience = "billing"
	_, ok := otelaudit.ActorFromContext(w.Extract(t.Context(), carrierOf(ofToken("", f.signed(), ""))))
	require.True(t, ok)
}

// The corpus, one by one: nobody of it is an actor, the reason is the right one, and nothing of it is in the baggage.
func TestForgeriesAreNobody(t *testing.T) {
	t.Parallel()
	corpus := readForgeries(t)
	total := 0
	for _, group := range names(corpus) {
		w := newWorld(t, "orders")
		want := map[string]int64{}
		for _, f := range corpus[group] {
			total++
			requireNobody(t, w, f)
			requireNoToken(t, f, propagation.StripBaggage(f.Baggage)...)
			if f.Want != "" {
				want[string(f.Want)]++
			}
		}
		require.Equal(t, want, w.counts(t, extractedMetric))
	}
	t.Logf("%d forgeries", total)
	require.Greater(t, total, 250)
}

func requireNobody(t *testing.T, w world, f forgery) {
	t.Helper()
	ctx := w.Extract(t.Context(), carrierOf(f))
	_, ok := otelaudit.ActorFromContext(ctx)
	require.False(t, ok, f.Name)
	_, ok = otelaudit.TenantFromContext(ctx)
	require.False(t, ok, f.Name)
	_, ok = otelaudit.OperationFromContext(ctx)
	require.False(t, ok, f.Name)
	_, ok = otelaudit.ReasonFromContext(ctx)
	require.False(t, ok, f.Name)
	rejection, rejected := propagation.RejectionFromContext(ctx)
	require.Equal(t, f.Want, rejection, f.Name)
	require.Equal(t, f.Want != "", rejected, f.Name)
	requireNoMember(t, ctx)
}

// requireNoMember looks for ours in ctx's baggage as somebody would who ignores case or decodes keys.
func requireNoMember(t *testing.T, ctx context.Context) {
	t.Helper()
	for _, m := range baggage.FromContext(ctx).Members() {
		key := strings.NewReplacer("%6F", "o", "%6f", "o", "%2E", ".", "%2e", ".").Replace(m.Key())
		require.False(t, strings.EqualFold(strings.TrimSpace(key), "otelaudit.actor"), m.Key())
	}
}

// Requests with the same token share what was verified, and nothing that a handler could change.
func TestWhatIsExtractedIsItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "orders")
	f := genuine()
	f.parties = slices.Repeat(f.parties, 2)
	carrier := carrierOf(ofToken("", f.signed(), ""))
	for range 2 {
		actor, ok := otelaudit.ActorFromContext(w.Extract(t.Context(), carrier))
		require.True(t, ok)
		require.Equal(t, "alice", actor.OnBehalfOf.ID)
		require.Equal(t, "alice", actor.OnBehalfOf.OnBehalfOf.ID)
		for a := actor.OnBehalfOf; a != nil; a = a.OnBehalfOf {
			a.ID, a.Trust = "mallory", otelaudit.TrustVerified
		}
	}

	body := []byte("body")
	token, err := w.Message(otelaudit.ContextWithActor(t.Context(), otelaudit.User("alice")), "orders", body)
	require.NoError(t, err)
	for range 2 {
		ctx, _, err := w.FromMessage(t.Context(), token, body)
		require.NoError(t, err)
		actor, _ := otelaudit.ActorFromContext(ctx)
		require.Equal(t, "alice", actor.OnBehalfOf.ID)
		actor.OnBehalfOf.ID = "mallory"
	}
}

// The world in which all forgeries fail is one in which a genuine token holds.
func TestGenuine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "orders")
	for _, change := range []func(*forged){
		func(*forged) {},
		func(f *forged) { f.kid = "edge" },
		func(f *forged) { f.kid, f.issuer = "partner", "partner" },
		func(f *forged) { f.lifetime = 300 },
		func(f *forged) { f.issued += 5 },
		func(f *forged) { f.issued -= 64 },
		func(f *forged) { f.parties = slices.Repeat(f.parties, 5) },
		func(f *forged) { f.parties = []forgedParty{{4, "", "", ""}} },
		func(f *forged) { f.reason = "" },
	} {
		f := genuine()
		change(&f)
		ctx := w.Extract(t.Context(), carrierOf(ofToken("", f.signed(), "")))
		_, ok := otelaudit.ActorFromContext(ctx)
		rejection, _ := propagation.RejectionFromContext(ctx)
		require.True(t, ok, rejection)
	}
	require.Equal(t, []string{"accepted"}, slices.Collect(maps.Keys(w.counts(t, extractedMetric))))
}
