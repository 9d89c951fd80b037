package propagation

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// genClaims draws claims that may be a token of this kind, short enough for one.
func genClaims(kind kind) *rapid.Generator[*claimSet] {
	text := func(limit int) *rapid.Generator[string] {
		return rapid.StringOfN(rapid.RuneFrom([]rune("aZ0 .,=;%-_é語🙂")), 0, -1, limit)
	}
	name := text(40).Filter(func(s string) bool { return s != "" })
	return rapid.Custom(func(t *rapid.T) *claimSet {
		c := &claimSet{
			kind:      kind,
			issued:    rapid.Int64Range(0, maxUvarint).Draw(t, "issued"),
			lifetime:  rapid.Int64Range(1, int64(kind.maxLifetime()/time.Second)).Draw(t, "lifetime"),
			issuer:    name.Draw(t, "issuer"),
			audience:  name.Draw(t, "audience"),
			tenant:    text(40).Draw(t, "tenant"),
			operation: text(40).Draw(t, "operation"),
			reason:    text(200).Draw(t, "reason"),
		}
		copy(c.nonce[:], rapid.SliceOfN(rapid.Byte(), nonceBytes, nonceBytes).Draw(t, "nonce"))
		if rapid.Bool().Draw(t, "traced") {
			copy(c.trace[1:], rapid.SliceOfN(rapid.Byte(), 15, 15).Draw(t, "trace"))
			c.trace[0] = 1
			if kind == kindMessage {
				c.span = trace.SpanID{1, 2, 3}
			}
		}
		if kind == kindMessage {
			copy(c.message[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "message"))
		}
		for i := range rapid.IntRange(1, maxParties).Draw(t, "parties") {
			types := partyTypes[1:]
			if i == 0 {
				types = types[:4]
			}
			p := party{kind: rapid.SampledFrom(types).Draw(t, "type"), name: text(40).Draw(t, "name"), method: text(20).Draw(t, "method")}
			if !p.isNobody() {
				p.id = name.Draw(t, "id")
			}
			c.parties = append(c.parties, p)
		}
		return c
	})
}

func exampleClaims() *claimSet {
	return &claimSet{
		kind: kindRequest, issued: 1_800_000_000, lifetime: 60, trace: trace.TraceID{1},
		issuer: "edge", audience: "orders", tenant: "acme", operation: "op-1", reason: "ticket 7",
		parties: []party{{kind: otelaudit.ActorUser, id: "alice", method: "oidc"}},
	}
}

func TestWhatIsEncodedIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.OneOf(genClaims(kindRequest), genClaims(kindMessage)).Draw(t, "claims")
		require.NoError(t, c.validate())
		var got claimSet
		require.NoError(t, parseClaims(c.kind, c.append(nil), &got))
		require.Equal(t, *c, got)
	})
}

// A payload has one encoding, ends where its claims end, and holds nothing that could not have been sealed.
func TestParseClaimsRefuses(t *testing.T) {
	t.Parallel()
	encoded := func(change func(*claimSet)) string {
		c := exampleClaims()
		change(c)
		return string(c.append(nil))
	}
	good := encoded(func(*claimSet) {})
	const issued, lifetime = "\x80\xa4\xa7\xda\x06", "\x3c"
	require.True(t, strings.HasPrefix(good, issued+lifetime))
	behind := good[len(issued+lifetime):]

	for name, payload := range map[string]string{
		"nothing":               "",
		"a byte more":           good + "\x00",
		"another token behind":  good + good,
		"a longer number":       "\x80\xa4\xa7\xda\x86\x00" + lifetime + behind,
		"seven bytes of number": "\x80\x80\x80\x80\x80\x80\x01" + lifetime + behind,
		"a number without end":  strings.Repeat("\xff", 64),
		"no lifetime":           issued + "\x00" + behind,
		"a length beyond":       strings.Replace(good, "\x04edge", "\x7fedge", 1),
		"a length far beyond":   strings.Replace(good, "\x04edge", "\xff\xff\xff\xff\xff\x7fedge", 1),
		"no issuer":             encoded(func(c *claimSet) { c.issuer = "" }),
		"no audience":           encoded(func(c *claimSet) { c.audience = "" }),
		"a long issuer":         encoded(func(c *claimSet) { c.issuer = strings.Repeat("a", maxServiceBytes+1) }),
		"a long audience":       encoded(func(c *claimSet) { c.audience = strings.Repeat("a", maxServiceBytes+1) }),
		"a long tenant":         encoded(func(c *claimSet) { c.tenant = strings.Repeat("a", maxIDBytes+1) }),
		"a long operation":      encoded(func(c *claimSet) { c.operation = strings.Repeat("a", maxIDBytes+1) }),
		"a long reason":         encoded(func(c *claimSet) { c.reason = strings.Repeat("a", maxReasonBytes+1) }),
		"a long id":             encoded(func(c *claimSet) { c.parties[0].id = strings.Repeat("a", maxIDBytes+1) }),
		"a long name":           encoded(func(c *claimSet) { c.parties[0].name = strings.Repeat("a", maxNameBytes+1) }),
		"a long method":         encoded(func(c *claimSet) { c.parties[0].method = strings.Repeat("a", maxMethodBytes+1) }),
		"NUL in an id":          encoded(func(c *claimSet) { c.parties[0].id = "al\x00ice" }),
		"a line end":            encoded(func(c *claimSet) { c.reason = "a\nb" }),
		"DEL":                   encoded(func(c *claimSet) { c.tenant = "acme\x7f" }),
		"a C1 control":          encoded(func(c *claimSet) { c.operation = "op\u0085" }),
		"an override":           encoded(func(c *claimSet) { c.parties[0].name = "ecila\u202e" }),
		"an isolate":            encoded(func(c *claimSet) { c.issuer = "edge\u2067" }),
		"broken UTF-8":          encoded(func(c *claimSet) { c.audience = "orders\xff" }),
		"a surrogate":           encoded(func(c *claimSet) { c.audience = "orders\xed\xa0\x80" }),
		"no party":              encoded(func(c *claimSet) { c.parties = nil }),
		"six parties":           encoded(func(c *claimSet) { c.parties = slices.Repeat(c.parties, 6) }),
		"255 parties":           strings.Replace(good, "\x01\x01\x05alice", "\xff\x01\x05alice", 1),
		"no type":               strings.Replace(good, "\x01\x05alice", "\x00\x05alice", 1),
		"a type of tomorrow":    strings.Replace(good, "\x01\x05alice", "\x06\x05alice", 1),
		"an unknown subject":    encoded(func(c *claimSet) { c.parties[0] = party{kind: otelaudit.ActorUnknown} }),
		"a user without an id":  encoded(func(c *claimSet) { c.parties[0].id = "" }),
		"anonymous with an id":  encoded(func(c *claimSet) { c.parties[0].kind = otelaudit.ActorAnonymous }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NotEqual(t, good, payload)
			require.ErrorIs(t, parseClaims(kindRequest, []byte(payload), new(claimSet)), errMalformed)
		})
	}
	for i := range good {
		require.ErrorIs(t, parseClaims(kindRequest, []byte(good[:i]), new(claimSet)), errMalformed, "cut after %d bytes", i)
	}
	require.ErrorIs(t, parseClaims(kindMessage, []byte(good), new(claimSet)), errMalformed)
	require.NoError(t, parseClaims(kindRequest, []byte(good), new(claimSet)))

	message := exampleClaims()
	message.kind = kindMessage
	require.ErrorIs(t, message.validate(), errMalformed, "a trace without a span")
	message.trace, message.span = trace.TraceID{}, trace.SpanID{1}
	require.ErrorIs(t, message.validate(), errMalformed, "a span without a trace")
}

func TestNewClaims(t *testing.T) {
	t.Parallel()
	alice := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", Name: "Alice\nLiddell", Tenant: "home", AuthMethod: "oidc", Session: "s", Roles: []string{"r"}}
	endless := otelaudit.Service("s")
	for range maxChain {
		endless = otelaudit.Service("s").For(endless)
	}
	chainOf := func(ids string) otelaudit.Actor { // a letter each
		a := otelaudit.Service(ids[:1])
		for _, id := range ids[1:] {
			a = a.For(otelaudit.Service(string(id)))
		}
		return a
	}
	partiesOf := func(ids string) (parties []party) { // "." is the mark
		for _, id := range ids {
			p := party{kind: otelaudit.ActorService, id: string(id)}
			if id == '.' {
				p = party{kind: otelaudit.ActorUnknown, method: "omitted"}
			}
			parties = append(parties, p)
		}
		return parties
	}
	circle := otelaudit.Service("circle")
	circle.OnBehalfOf = &circle
	with := func(a otelaudit.Actor) context.Context { return otelaudit.ContextWithActor(t.Context(), a) }

	for name, test := range map[string]struct {
		ctx   context.Context //nolint:containedctx // of a case
		names bool
		want  claimSet
		err   error
	}{
		"nobody":           {ctx: t.Context(), err: ErrNoActor},
		"a zero actor":     {ctx: with(otelaudit.Actor{}), err: ErrNoActor},
		"an unknown actor": {ctx: with(otelaudit.Actor{Type: otelaudit.ActorUnknown}), err: ErrNoActor},
		"an endless chain": {ctx: with(endless), err: errChain},
		"a circle":         {ctx: with(circle), err: errChain},
		"five":             {ctx: with(chainOf("abcde")), want: claimSet{parties: partiesOf("abcde")}},
		"six":              {ctx: with(chainOf("abcdef")), want: claimSet{parties: partiesOf("ab.ef")}},
		"nine":             {ctx: with(chainOf("abcdefghi")), want: claimSet{parties: partiesOf("ab.hi")}},
		"anonymous": {
			ctx:  with(otelaudit.Actor{Type: otelaudit.ActorAnonymous, ID: "visitor"}),
			want: claimSet{parties: []party{{kind: otelaudit.ActorAnonymous}}},
		},
		"a user": {
			ctx:  with(alice),
			want: claimSet{tenant: "home", parties: []party{{kind: otelaudit.ActorUser, id: "alice", method: "oidc"}}},
		},
		"with names": {
			ctx: with(alice), names: true,
			want: claimSet{tenant: "home", parties: []party{{kind: otelaudit.ActorUser, id: "alice", name: "Alice Liddell", method: "oidc"}}},
		},
		"all there is": {
			ctx: otelaudit.ContextWithReason(otelaudit.ContextWithOperation(otelaudit.ContextWithTenant(
				with(otelaudit.System("nightly").For(alice).For(otelaudit.Actor{Type: otelaudit.ActorUnknown})), "acme"), "op-1"), "ticket 7"),
			want: claimSet{tenant: "acme", operation: "op-1", reason: "ticket 7", parties: []party{
				{kind: otelaudit.ActorSystem, id: "nightly"}, {kind: otelaudit.ActorUser, id: "alice", method: "oidc"}, {kind: otelaudit.ActorUnknown},
			}},
		},
		"a long reason": {
			ctx:  otelaudit.ContextWithReason(with(otelaudit.User("alice")), "\u202e"+strings.Repeat("é", maxReasonBytes)),
			want: claimSet{reason: " " + strings.Repeat("é", 254) + "…", parties: []party{{kind: otelaudit.ActorUser, id: "alice"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := newClaims(test.ctx, kindRequest, "edge", "orders", time.Minute, test.names)
			if test.err != nil {
				require.ErrorIs(t, err, test.err)
				return
			}
			require.NoError(t, err)
			test.want.kind, test.want.lifetime, test.want.issuer, test.want.audience = kindRequest, 60, "edge", "orders"
			require.Equal(t, test.want, *got)
			require.NoError(t, got.validate())
		})
	}
}

// What comes from outside and names nobody is made to fit; whatever it was, the result may be in a token.
func TestLine(t *testing.T) {
	t.Parallel()
	require.Equal(t, "plain", line("plain", 5))
	require.Equal(t, "pl…", line("plain!", 5))
	require.Equal(t, "é…", line("ééé", 5))
	rapid.Check(t, func(t *rapid.T) {
		s := line(string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))+rapid.String().Draw(t, "text"), 64)
		require.NoError(t, check(s, 64))
	})
}

func TestClaimsActor(t *testing.T) {
	t.Parallel()
	edge := otelaudit.Actor{Type: otelaudit.ActorService, ID: "edge", Tenant: "acme", Trust: otelaudit.TrustPropagated, AuthMethod: "actor_token"}
	alice := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", Name: "Alice", Trust: otelaudit.TrustPropagated, AuthMethod: "oidc"}
	nightly := otelaudit.Actor{Type: otelaudit.ActorSystem, ID: "edge", Trust: otelaudit.TrustPropagated}
	deferred := edge
	deferred.AuthMethod = "message_token"

	user := party{kind: otelaudit.ActorUser, id: "alice", name: "Alice", method: "oidc"}
	for name, test := range map[string]struct {
		kind    kind
		parties []party
		want    otelaudit.Actor
	}{
		"a user":            {kindRequest, []party{user}, edge.For(alice)},
		"of a message":      {kindMessage, []party{user}, deferred.For(alice)},
		"a chain":           {kindRequest, []party{{kind: otelaudit.ActorService, id: "edge-0", method: "mtls"}, user}, edge.For(otelaudit.Actor{Type: otelaudit.ActorService, ID: "edge-0", Trust: otelaudit.TrustPropagated, AuthMethod: "mtls"}).For(alice)},
		"the issuer":        {kindRequest, []party{{kind: otelaudit.ActorService, id: "edge", method: "none"}}, edge},
		"what was deferred": {kindRequest, []party{{kind: otelaudit.ActorService, id: "edge", method: "message_token"}, user}, edge.For(otelaudit.Actor{Type: otelaudit.ActorService, ID: "edge", Trust: otelaudit.TrustPropagated, AuthMethod: "message_token"}).For(alice)},
		"and its chain":     {kindRequest, []party{{kind: otelaudit.ActorService, id: "edge"}, user}, edge.For(alice)},
		"a system's name":   {kindRequest, []party{{kind: otelaudit.ActorSystem, id: "edge"}}, edge.For(nightly)},
		"anonymous":         {kindRequest, []party{{kind: otelaudit.ActorAnonymous}}, edge.For(otelaudit.Actor{Type: otelaudit.ActorAnonymous, Trust: otelaudit.TrustPropagated})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := claimSet{kind: test.kind, issuer: "edge", tenant: "acme", parties: test.parties}
			require.Equal(t, test.want, c.actor())
		})
	}
}

// The payload and token of whatever is parsed are those that it was parsed from: there is one encoding only.
func FuzzParseClaims(f *testing.F) {
	message := exampleClaims()
	message.kind, message.span = kindMessage, trace.SpanID{1}
	f.Add(exampleClaims().append(nil), false)
	f.Add(message.append(nil), true)
	f.Fuzz(func(t *testing.T, payload []byte, isMessage bool) {
		kind := kindRequest
		if isMessage {
			kind = kindMessage
		}
		var c claimSet
		if parseClaims(kind, payload, &c) != nil {
			return
		}
		require.NoError(t, c.validate())
		require.Equal(t, payload, c.append(nil))
		require.Equal(t, otelaudit.TrustPropagated, c.actor().Trust)
	})
}
