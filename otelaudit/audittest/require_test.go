package audittest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
)

type state int

func (s state) String() string { return [...]string{"open", "approved"}[s] }

func approval() otelaudit.Activity {
	return otelaudit.Activity{
		Action: "invoice.approve",
		Actor: otelaudit.Actor{
			Type: otelaudit.ActorUser, ID: "ana", Name: "Ana", Roles: []string{"approver"}, Tenant: "acme",
			Session: "cookie", AuthMethod: "oidc", Trust: otelaudit.TrustVerified,
		}.For(otelaudit.User("bo")),
		Target:  otelaudit.Target{Type: "invoice", ID: "42", Name: "March"},
		Related: []otelaudit.Target{{Type: "order", ID: "7"}, {Type: "order", ID: "8\x00"}},
		Reason:  "within the limit",
		Err:     fmt.Errorf("too late: %w", otelaudit.ErrDenied),
		Changes: otelaudit.Changes{
			{Field: "state", Old: attribute.StringValue("open"), New: attribute.StringValue("approved")},
			{Field: "amount", Old: attribute.IntValue(1), New: attribute.Float64Value(1)},
			{Field: "due", New: attribute.StringValue("2026-03-01T12:00:00Z")},
			{Field: "pin", Old: attribute.StringValue(otelaudit.Redacted), New: attribute.StringValue(otelaudit.Redacted)},
		},
		Metadata: []attribute.KeyValue{attribute.String("channel", "web"), attribute.String("http.route", "/invoices/{id}")},
	}
}

func approved(tb testing.TB) *audittest.Trail {
	tb.Helper()
	tr := audittest.New(tb)
	ctx := otelaudit.ContextWithOperation(tr.Context(), "month-end")
	if err := otelaudit.Track(ctx, approval()); err != nil {
		tb.Fatalf("Track: %v", err)
	}
	return tr
}

func TestRequireMatches(t *testing.T) {
	t.Parallel()
	tr := approved(t)
	r := tr.Require("invoice.approve",
		audittest.Actor(otelaudit.User("ana").For(otelaudit.User("bo"))),
		audittest.Actor(approval().Actor),
		audittest.Target("invoice", "42"),
		audittest.Related("order", "7"), audittest.Related("order", "8\x00"), // as it is stored
		audittest.Outcome(otelaudit.Denied),
		audittest.ErrorType("denied"),
		audittest.Reason("within the limit"),
		audittest.Tenant("acme"),
		audittest.Operation("month-end"),
		audittest.Change("state", state(0), state(1)),
		audittest.Change("state", "open", attribute.StringValue("approved")),
		audittest.Change("amount", 1, 1.0),
		audittest.Change("due", nil, time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("", 3600))),
		audittest.Change("pin", otelaudit.Redacted, otelaudit.Redacted),
		audittest.Metadata(attribute.String("channel", "web"), attribute.String("http.route", "/invoices/{id}")),
	)
	require.Equal(t, "March", r.Target.Name)
	tr.Require("invoice.approve")
	tr.RequireNone("invoice.reject")
	tr.RequireNone("invoice.approve", audittest.Target("invoice", "43"))
}

// What a test names is made storable as the service's is.
func TestRequireMatchesHostileInput(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	long := strings.Repeat("x", 5000)
	require.NoError(t, otelaudit.Track(tr.Context(), otelaudit.Activity{
		Action:  "a.create",
		Actor:   otelaudit.User("an\x00a"),
		Target:  otelaudit.Target{Type: "a", ID: long},
		Changes: otelaudit.Changes{{Field: "f", New: attribute.StringValue("\x00")}},
	}))
	tr.Require("a.create",
		audittest.Actor(otelaudit.User("an\x00a")),
		audittest.Target("a", long),
		audittest.Change("f", nil, "\x00"))
}

func TestRequireReturnsTheFirstThatMatches(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	for _, reason := range []string{"one", "two", "three"} {
		require.NoError(t, otelaudit.Track(ctx, otelaudit.Activity{Action: "a.create", Reason: reason, Tenant: "acme"}))
	}
	require.Equal(t, "one", tr.Require("a.create", audittest.Tenant("acme")).Reason)
	require.Equal(t, "two", tr.Require("a.create", audittest.Reason("two")).Reason)
}

func TestRequireSaysWhatDiffers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		match audittest.Match
		want  string
	}{
		"actor": {
			audittest.Actor(otelaudit.Service("mailer")), `
     actor:
       want service "mailer"
       got  user "ana" on behalf of user "bo"`,
		},
		"actor for itself": {
			audittest.Actor(otelaudit.User("ana")), `
     actor:
       want user "ana"
       got  user "ana" on behalf of user "bo"`,
		},
		"facts of the actor": {
			audittest.Actor(otelaudit.Actor{
				Type: otelaudit.ActorUser, ID: "ana", Name: "Anna", Roles: []string{"approver"}, Trust: otelaudit.TrustPropagated,
			}.For(otelaudit.Actor{Type: otelaudit.ActorUser, ID: "bo", Tenant: "acme"})), `
     actor:
       want user "ana", name "Anna", trust "propagated" on behalf of user "bo", tenant "acme"
       got  user "ana", name "Ana", trust "verified" on behalf of user "bo", tenant none`,
		},
		"target": {
			audittest.Target("invoice", "43"), `
     target:
       want invoice "43"
       got  invoice "42"`,
		},
		"related": {
			audittest.Related("order", "8"), `
     related:
       want order "8"
       got  order "7"`,
		},
		"outcome": {
			audittest.Outcome(otelaudit.Success), `
     outcome:
       want "success"
       got  "denied"`,
		},
		"reason": {
			audittest.Reason(""), `
     reason:
       want none
       got  "within the limit"`,
		},
		"change": {
			audittest.Change("amount", 1, 1), `
     change of amount:
       want 1 → 1
       got  1 → float 1`,
		},
		"no such change": {
			audittest.Change("total", nil, []byte("x")), `
     change of total:
       want nothing → bytes eA==
       got  no change of it, but of amount, due, pin, state`,
		},
		"metadata": {
			audittest.Metadata(attribute.String("channel", "app"), attribute.Int("n", 1), attribute.String("http.route", "/invoices/{id}")), `
     metadata:
       want channel="app", n=1
       got  channel="web", no n`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fakeTB{}
			tr := approved(f)
			said := f.run(func() { tr.Require("invoice.approve", audittest.Tenant("acme"), tc.match) })
			require.Contains(t, said, `audittest: no "invoice.approve" is as required; 1 was recorded:
  1. by user "ana" on behalf of user "bo", target invoice "42", denied`+tc.want)
		})
	}
}

func TestRequireSaysWhatThereIs(t *testing.T) {
	t.Parallel()
	f := &fakeTB{}
	tr := audittest.New(f, audittest.WithPolicy(otelaudit.Policy{Ignore: []string{"health.*"}}))
	require.Equal(t, `audittest: no "a.delete" was recorded; nothing was recorded`,
		f.run(func() { tr.Require("a.delete") }))

	f.failures = nil
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	for _, action := range []string{"b.create", "a.create", "b.create", "health.check", "health.check"} {
		require.NoError(t, otelaudit.Track(ctx, otelaudit.Activity{Action: action}))
	}
	require.Equal(t, `audittest: no "a.delete" was recorded; recorded were b.create (2 times), a.create; the policy ignored health.check (2 times)`,
		f.run(func() { tr.Require("a.delete") }))

	f.failures = nil
	require.Equal(t, `audittest: "b.create" must not be recorded; 2 were recorded:
  1. by user "ana", target none, success
  2. by user "ana", target none, success`,
		f.run(func() { tr.RequireNone("b.create") }))
}

func TestRequireShowsTen(t *testing.T) {
	t.Parallel()
	f := &fakeTB{}
	tr := audittest.New(f)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	for range 12 {
		require.NoError(t, otelaudit.Track(ctx, otelaudit.Activity{Action: "a.create"}))
	}
	said := f.run(func() { tr.Require("a.create", audittest.Reason("x")) })
	require.Contains(t, said, "12 were recorded")
	require.Contains(t, said, "  10. by")
	require.NotContains(t, said, "  11. by")
	require.Contains(t, said, "… and 2 more")
}
